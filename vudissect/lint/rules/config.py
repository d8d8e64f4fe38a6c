"""VU-CFG: the configuration space of the device."""

from collections.abc import Iterator
from dataclasses import field
from typing import NamedTuple

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.gates import lacking
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, Trigger, ending, messages, requests
from vudissect.lint.values import undefined_choices
from vudissect.lint.words import SECOND, count_text
from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.model import Device, Field, Layout, Meaning, Row
from vudissect.protocol.payloads import CONFIG_MOST, WRITABLE
from vudissect.protocol.purpose import Purpose

RULES = RuleBook()

_MULTIQUEUE = BLK.features.mask("MQ")

# No program pipelines more than a few of them.
_MOST_ASKED = 64


class _Range(NamedTuple):
    """A part of the configuration space, as a request names it."""

    offset: int
    size: int
    flags: int

    @property
    def end(self) -> int:
        return self.offset + self.size


def _range(at: At) -> _Range | None:
    fields = at.fields
    return _Range(fields["offset"], fields["size"], fields["flags"]) if "offset" in fields else None


def _read(row: Row, reply: bool) -> bool:
    return row.purpose is Purpose.READ_CONFIG


@memory
class _Reads:
    """What pending requests ask for, by frame."""

    ranges: dict[int, _Range] = field(default_factory=dict)


def _asked(at: At[_Reads]) -> _Range | None:
    """For a reply, what its request asked for. A request is only remembered."""
    ranges, request = at.memory.ranges, at.event.request
    if at.message.reply:
        return ranges.pop(request.frame, None) if request is not None else None
    asked = _range(at)
    if asked is not None and len(ranges) < _MOST_ASKED:
        ranges[at.frame] = asked
    return None


@RULES.rule(
    "VU-CFG-01",
    Severity.ERROR,
    "the configuration space is read only if CONFIG is negotiated",
    f"{SPEC}, GET_CONFIG; QEMU never reads it otherwise",
    requests(Purpose.READ_CONFIG),
)
def config_gate(at: At) -> Findings:
    lack = lacking(at.after, at.message.row.gate)
    if lack is not None and at.first():
        yield at.finding(f"{at.name} is sent, but {lack.text}: the back-end need not answer", frames=lack.frames)


@RULES.rule(
    "VU-CFG-02",
    Severity.ERROR,
    "the answer to a configuration read has the offset, size and flags of the request, and all bytes",
    f"{SPEC}, GET_CONFIG; QEMU and rust-vmm refuse anything else",
    messages(_read),
    remembers=_Reads,
)
def config_answer(at: At[_Reads]) -> Findings:
    asked, request = _asked(at), at.event.request
    if asked is None or request is None or not at.message.fits:
        return
    wanted = f"{count_text(asked.size, 'byte')} at offset {asked.offset}"
    answered, device = _range(at), at.after.guess.device
    refused = answered is None or (answered.size == 0 and asked.size)
    available = device.config_size(at.after.features.offered) if device and at.after.features.offered else CONFIG_MOST
    if refused and device is not None and 0 < available < asked.end <= (device.config.size or 0):
        missing = next(field for begin, field in _layout(device) if field.feature and begin >= available)
        yield at.finding(
            f"the request for {wanted} includes {missing.name} of {device.name}, which exists only with "
            f"{missing.feature}, and that is not offered: the configuration space has "
            f"{count_text(available, 'byte')}, and the back-end returns none",
            Blame.FRONT_END,
            frames=(request.frame,),
        )
    elif answered is None or refused:
        yield at.finding(
            f"the back-end could not read the requested {wanted}: its answer is empty", frames=(request.frame,)
        )
    elif answered != asked:
        yield at.finding(
            f"asked for {wanted} (flags {asked.flags}), the back-end returns "
            f"{count_text(answered.size, 'byte')} at offset {answered.offset} (flags {answered.flags})",
            frames=(request.frame,),
        )


@RULES.rule(
    "VU-CFG-03",
    Severity.WARNING,
    f"offset and size stay within the configuration space and the {CONFIG_MOST} bytes that programs have room for",
    "QEMU, libvhost-user and DPDK, VHOST_USER_MAX_CONFIG_SIZE; rust-vmm vhost #29, cloud-hypervisor #7615",
    requests(Purpose.READ_CONFIG, Purpose.WRITE_CONFIG),
)
def config_range(at: At) -> Findings:
    asked, device = _range(at), at.after.guess.device
    if asked is None:
        return
    if asked.end > CONFIG_MOST:
        old = "; rust-vmm once used that as the first offset" if asked.offset == CONFIG_MOST else ""
        yield at.finding(
            f"{at.name} asks for offset {asked.offset}, size {asked.size}: QEMU, libvhost-user and DPDK "
            f"have room for {CONFIG_MOST} bytes{old}"
        )
    elif device is not None and device.config.size is not None and asked.offset and asked.end > device.config.size:
        yield at.finding(
            f"{at.name} asks for offset {asked.offset}, size {asked.size}, "
            f"but the configuration space of {device.name} ends at {device.config.size}"
        )


@RULES.rule(
    "VU-CFG-04",
    Severity.ERROR,
    "a write on behalf of the driver changes only fields that a driver may write",
    f"{SPEC}, SET_CONFIG; the virtio specification lists them",
    requests(Purpose.WRITE_CONFIG),
)
def config_read_only(at: At) -> Findings:
    written, device = _range(at), at.after.guess.device
    layout = at.message.layout
    if written is None or device is None or _purpose(layout, written.flags) != WRITABLE:
        return
    covered = [(begin, field) for begin, field in _layout(device) if _overlap(written, begin, field)]
    fields = [(begin, field) for begin, field in covered if not field.writable and field.meaning is not Meaning.PADDING]
    if any(field.writable for _, field in covered):
        # A front-end that writes the whole space to change one field repeats the others unchanged.
        fields = [(begin, field) for begin, field in fields if _is_changed(at, written, begin, field)]
    if fields:
        names = ", ".join(field.name for _, field in fields[:4]) + (", ..." if len(fields) > 4 else "")
        yield at.finding(
            f"{at.name} (offset {written.offset}, size {written.size}) writes {names} of the {device.name} "
            f"configuration on behalf of the driver (flags {written.flags}), for which it is read-only; only live "
            "migration sets it"
        )


def _purpose(layout: Layout, flags: int) -> str:
    """What the configuration is written for, in the dialect in effect."""
    field = next(field for field in layout.fields if field.name == "flags")
    return field.choices.get(flags, "")


def _layout(device: Device) -> Iterator[tuple[int, Field]]:
    """The fields of a configuration space, with their offsets."""
    begin = 0
    for part in device.config.fields:
        yield begin, part
        begin += part.size


def _overlap(written: _Range, begin: int, field: Field) -> bool:
    return begin < written.end and written.offset < begin + field.size


def _is_changed(at: At, written: _Range, begin: int, field: Field) -> bool:
    """Whether the write changes a field since it was last read; False if that is not known."""
    before = at.after.config
    if before is None:
        return False
    contents = bytes(written.offset) + at.message.values[-1]
    end = min(begin + field.size, len(before), len(contents))
    begin = max(begin, written.offset)
    return bool(before[begin:end] != contents[begin:end])


@RULES.rule(
    "VU-CFG-05",
    Severity.WARNING,
    "the configuration space is written with flags 0 (for the driver) or 1 (for live migration)",
    f"{SPEC}, SET_CONFIG; rust-vmm numbers them 1 and 2",
    requests(Purpose.WRITE_CONFIG),
)
def config_flags(at: At) -> Findings:
    unknown = ", ".join(undefined_choices(at.message))
    if unknown:
        yield at.finding(
            f"{at.name} has {unknown}; defined are 0 (for the driver) and 1 (for live migration), "
            "which rust-vmm numbers 1 and 2"
        )


@RULES.rule(
    "VU-CFG-06",
    Severity.ERROR,
    "a change of the configuration is announced only if CONFIG and BACKEND_REQ are negotiated",
    f"{SPEC}, BACKEND_CONFIG_CHANGE_MSG",
    requests(Purpose.CHANGE_CONFIG),
)
def config_change_gate(at: At) -> Findings:
    lack = lacking(at.after, at.message.row.gate)
    if lack is not None and at.first():
        yield at.finding(
            f"{at.name} is sent, but {lack.text}: the front-end need not know this message", frames=lack.frames
        )


@RULES.rule(
    "VU-CFG-07",
    Severity.ERROR,
    "a request for the configuration space asks for at least one byte",
    f"{SPEC}, GET_CONFIG",
    requests(Purpose.READ_CONFIG),
)
def config_nothing(at: At) -> Findings:
    asked = _range(at)
    if asked is not None and asked.size == 0:
        yield at.finding(
            f"{at.name} asks for 0 bytes (offset {asked.offset}): a device without a configuration space "
            "does not offer CONFIG; rust-vmm refuses the request, and an answer of 0 bytes is an error"
        )


@RULES.rule(
    "VU-CFG-08",
    Severity.COMPAT,
    f"a back-end answers a request for {CONFIG_MOST} bytes of configuration, however short its configuration is",
    "SPDK lib/virtio/virtio_vhost_user.c always asks for that many",
    messages(_read),
    remembers=_Reads,
)
def config_whole(at: At[_Reads]) -> Findings:
    asked, request = _asked(at), at.event.request
    if asked is None or request is None or asked.offset or asked.size != CONFIG_MOST:
        return
    answered = at.fields.get("size", 0)
    if answered != CONFIG_MOST:
        yield at.finding(
            f"the back-end returns {answered} of the {CONFIG_MOST} requested bytes of configuration: SPDK always asks "
            "for that many and cannot use this back-end; the bytes after the configuration should be zero",
            frames=(request.frame,),
        )


@RULES.rule(
    "VU-CFG-09",
    Severity.WARNING,
    "a disk has a capacity, and at least as many queues as are used",
    "virtio specification, Block Device; SPDK 3f12b5fa1e",
    Trigger(lambda row, reply: row.purpose is (Purpose.READ_CONFIG if reply else Purpose.SET_KICK)),
)
def config_of_disk(at: At) -> Findings:
    state = at.after
    config = state.config
    if state.guess.device is not BLK or config is None:
        return
    queues = _number(config, "num_queues") if (state.features.offered or 0) & _MULTIQUEUE else None
    if not at.message.reply:
        index = at.fields.get("index", 0)
        if queues and index >= queues and at.first(index):
            enough = state.queues is not None and index < state.queues
            yield at.finding(
                f"ring {index} is started, but the configuration has num_queues {queues}"
                + (
                    f", although the back-end announced {count_text(state.queues or 0, 'queue')} before"
                    if enough
                    else ""
                ),
                Blame.BACK_END if enough else Blame.FRONT_END,
            )
    elif at.fields.get("offset") == 0:
        capacity = _number(config, "capacity")
        if capacity == 0 and at.first("capacity"):
            yield at.finding(
                f"the disk has capacity 0 (blk_size {_number(config, 'blk_size')}): the guest sees no disk "
                "(SPDK reports this after its block device was removed)"
            )
        if queues == 0 and at.first("queues"):
            yield at.finding("the back-end offers MQ, but the configuration has num_queues 0: no request can be sent")


def _number(config: bytes, name: str) -> int | None:
    """A field of a disk's configuration; None where the part that was read ends before it."""
    begin, field = next((begin, field) for begin, field in _layout(BLK) if field.name == name)
    end = begin + field.size
    return int.from_bytes(config[begin:end], "little") if end <= len(config) else None


@memory
class _Change:
    """An announced change: its frame, when it came (ns), and the frame of its acknowledgement; 0 for no frame."""

    frame: int = 0
    time: int = 0
    acknowledged: int = 0


@RULES.rule(
    "VU-CFG-10",
    Severity.INFO,
    "the front-end reads the configuration again after a change is announced",
    f"{SPEC}, BACKEND_CONFIG_CHANGE_MSG; cloud-hypervisor before #8824 did not open the channel for it",
    Trigger(
        lambda row, reply: row.purpose is Purpose.CHANGE_CONFIG or (row.purpose is Purpose.READ_CONFIG and not reply),
        ending().kinds,
        at_end=True,
    ),
    remembers=_Change,
)
def config_change_heard(at: At[_Change]) -> Findings:
    change, now = at.memory, at.event.elapsed
    if not at.over and at.message.row.purpose is Purpose.CHANGE_CONFIG:
        if at.message.reply:
            change.acknowledged = at.frame
        elif not change.frame:
            change.frame, change.time = at.frame, now
        return
    at.restart()
    frame = change.frame
    if not frame or now - change.time < SECOND:  # usually it takes a few milliseconds
        return
    despite = f", although it acknowledged the change in #{change.acknowledged}" if change.acknowledged else ""
    when = "never" if at.over else f"only {(now - change.time) / 1e9:.1f} s later (#{at.frame})"
    yield at.finding(
        f"the configuration changed in #{frame}, but the front-end {when} read it again{despite}: "
        "the guest does not see the new size or state" + ("" if at.over else " until then"),
        Blame.FRONT_END,
        frame=frame,
        frames=() if at.over else (at.frame,),
    )
