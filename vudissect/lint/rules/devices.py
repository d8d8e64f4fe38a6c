"""VU-STA, VU-CRY, VU-GPU, VU-INB: device status, crypto sessions, the GPU channel, notifications by message."""

from collections.abc import Sequence
from typing import Any

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.gates import lacking
from vudissect.lint.hang import waited_in_vain
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, Trigger, messages, requests
from vudissect.protocol.crypto import SESSION_C1, SESSION_C2, SESSION_C3
from vudissect.protocol.devices import feature_names
from vudissect.protocol.features import F_VERSION_1, STATUS_BITS
from vudissect.protocol.gpu import DISPLAY_INFO, DMABUF_UPDATE, SCANOUTS, UPDATE
from vudissect.protocol.model import Answer, Channel, Layout, Row, Side
from vudissect.protocol.programs import QEMU, room_of
from vudissect.protocol.purpose import Purpose
from vudissect.wire.codec import layout_codec
from vudissect.wire.header import HEADER_SIZE, REPLY

RULES = RuleBook()

_DRIVER_OK, _FEATURES_OK = (STATUS_BITS.mask(name) for name in ("DRIVER_OK", "FEATURES_OK"))
# What a driver sets, and clears only by a reset.
_DRIVER_BITS = STATUS_BITS.mask("ACKNOWLEDGE", "DRIVER", "DRIVER_OK", "FEATURES_OK", "FAILED")
_GPU_SPEC = "QEMU docs/interop/vhost-user-gpu.rst"

_SLOTS = {
    Purpose.KICK_RING: (Purpose.SET_KICK, "kick"),
    Purpose.CALL_RING: (Purpose.SET_CALL, "call"),
    Purpose.FAIL_RING: (Purpose.SET_ERR, "err"),
}


def _status(status: int) -> str:
    return " ".join(STATUS_BITS.names(status)) or "0"


@memory
class _Status:
    """The last status that a message had, and its frame; 0 for none."""

    status: int = 0
    frame: int = 0


@RULES.rule(
    "VU-STA-01",
    Severity.ERROR,
    "the device status only gains bits, DRIVER_OK follows FEATURES_OK, and all rings are stopped before a reset (0)",
    f"{SPEC}, SET_STATUS; virtio specification, Device Status Field; QEMU 6f8be29ec1",
    Trigger(lambda row, reply: row.purpose is (Purpose.GET_STATUS if reply else Purpose.SET_STATUS)),
    remembers=_Status,
)
def status_order(at: At[_Status]) -> Findings:
    status: int | None = at.fields.get("status")
    if status is None:
        return
    # Not the one in the state, which is still updated once answers no longer match their requests.
    before, told_in = at.memory.status, at.memory.frame
    at.memory.status, at.memory.frame = status, at.frame
    if at.message.reply:
        return
    state, frames = at.after, (told_in,) if told_in else ()
    if status == 0:
        started = state.rings.first_started
        if started is not None:
            # Released programs do this, and the back-ends that they are used with keep the position.
            known = room_of(at.after.programs[Side.FRONT_END], Side.FRONT_END) is QEMU
            yield at.finding(
                f"the device is reset (status 0) while ring {started.index} is started: it may forget the position of "
                "the ring before its base is read (QEMU before 8.1 does this; DPDK and Open vSwitch keep the position)",
                frames=(started.slots[Purpose.SET_KICK].frame,),
                severity=Severity.COMPAT if known else Severity.WARNING,
            )
        return
    if before & ~status & _DRIVER_BITS:
        yield at.finding(
            f"status {_status(status)} clears {_status(before & ~status & _DRIVER_BITS)}; only a reset (0) may do so",
            frames=frames,
        )
    elif status & _DRIVER_OK and not status & _FEATURES_OK and state.features.has(F_VERSION_1):
        yield at.finding(
            f"status {_status(status)} has DRIVER_OK without FEATURES_OK, although VERSION_1 is acknowledged: "
            "feature negotiation was never completed",
            frames=(state.features.acked_in,),
        )


@RULES.rule(
    "VU-STA-02",
    Severity.WARNING,
    "the back-end keeps FEATURES_OK: it accepts the acknowledged features",
    "virtio specification, Device Initialization",
    Trigger(lambda row, reply: row.purpose is (Purpose.GET_STATUS if reply else Purpose.SET_STATUS)),
    remembers=_Status,
)
def features_refused(at: At[_Status]) -> Findings:
    status, request = at.fields.get("status", 0), at.event.request
    if not at.message.reply:
        at.memory.status, at.memory.frame = status, at.frame
        return
    told_in = at.memory.frame
    if not at.memory.status & _FEATURES_OK or status & _FEATURES_OK or request is None or request.frame < told_in:
        return
    features, device = at.after.features, at.after.guess.device
    unasked = feature_names(device, (features.acked or 0) & ~(features.offered or 0))
    reason = "the acknowledged features"
    if features.acked is not None:
        reason += f" of #{features.acked_in} ({' '.join(feature_names(device, features.acked)) or 'none'})"
    blame = Blame.BACK_END
    if features.offered is not None and unasked:
        reason, blame = f"{reason}: {' '.join(unasked)} had not been offered", Blame.FRONT_END
    yield at.finding(
        f"FEATURES_OK was set in #{told_in} and is now clear (status {_status(status)}): the back-end refuses {reason}",
        blame,
        frames=tuple(sorted({features.acked_in, told_in} - {0})),
    )


@RULES.rule(
    "VU-STA-03",
    Severity.INFO,
    "a reset of the device by status 0",
    f"{SPEC}, SET_STATUS",
    requests(Purpose.SET_STATUS),
    remembers=_Status,
    usual=True,
)
def status_reset(at: At[_Status]) -> Findings:
    status = at.fields.get("status")
    before, told_in = at.memory.status, at.memory.frame
    at.memory.status, at.memory.frame = status or 0, at.frame
    if status == 0 and before:
        yield at.finding(
            f"the device is reset (status {_status(before)} to 0): the driver reset it, or the VM is stopped",
            Blame.UNKNOWN,
            frames=(told_in,),
        )


def _creates_crypto_session(row: Row, reply: bool) -> bool:
    return "CRYPTO_SESSION" in row.gate.protocol and row.answer is Answer.ALWAYS


@memory
class _Session:
    """The frame and the size of the last requested session."""

    frame: int = 0
    size: int = 0


@RULES.rule(
    "VU-CRY-01",
    Severity.ERROR,
    "both sides use the same crypto session layout: of three generations in use, two have the same size",
    "QEMU 0e660a6f90, 5c33f9783a; DPDK b1d02713d3",
    messages(_creates_crypto_session),
    remembers=_Session,
)
def crypto_session(at: At[_Session]) -> Findings:
    message, request = at.message, at.event.request
    if message.reply:
        frame, size = at.memory.frame, at.memory.size
        if request is not None and request.frame == frame and message.size != size:
            yield at.finding(
                f"a session of {size} bytes is answered with one of {message.size}: "
                "the back-end uses the layout of another generation",
                frames=(frame,),
            )
        return
    at.memory.frame, at.memory.size = at.frame, message.size
    if message.size not in (SESSION_C1.size, SESSION_C3.size):
        yield at.finding(
            f"the session has {message.size} bytes; known sizes are {SESSION_C1.size} (QEMU up to 8.0, DPDK up to "
            f"24.11) and {SESSION_C3.size} (QEMU from 8.1, DPDK from 25.03)"
        )
    elif message.size == SESSION_C1.size and len(message.data) == HEADER_SIZE + message.size:
        yield from _which_generation(at, *(_head(at, layout) for layout in (SESSION_C1, SESSION_C2)))


def _which_generation(at: At, first: dict[str, Any], second: dict[str, Any]) -> Findings:
    """Whether a session of the size that two generations share is of the second, which DPDK never supported."""
    meant = _makes_sense(SESSION_C1, first), _makes_sense(SESSION_C2, second)
    dpdk = f"op_code {first['op_code']}, cipher_alg {first['cipher_alg']}, key_len {first['key_len']}"
    qemu = f"cipher_alg {second['cipher_alg']}, key_len {second['key_len']}"
    size = f"the session of {at.message.size} bytes"
    holds = "" if at.event.record.marks & Mark.KEYS_MASKED else " (the capture contains the key: handle it with care)"
    if meant == (False, True):
        yield at.finding(
            f"{size} has the layout of QEMU 7.1 to 8.0 ({qemu}); DPDK up to 24.11 reads the same bytes without an "
            f"error as {dpdk}: every field is wrong{holds}"
        )
    elif meant != (True, False):
        verdict = "could be either" if meant[0] else "is valid in neither"
        yield at.finding(
            f"{size} {verdict} of two generations that have the same size: {dpdk} (QEMU up to 7.0, DPDK up to 24.11), "
            f"or {qemu} (QEMU 7.1 to 8.0)"
        )


def _head(at: At, layout: Layout) -> dict[str, Any]:
    """The fixed fields of the payload as this layout has them, whatever the message was decoded as."""
    codec = layout_codec(layout, "big" if at.event.record.marks & Mark.BIG_ENDIAN else "little")
    return dict(zip(layout.names, codec.unpack_fixed(at.message.data, HEADER_SIZE), strict=False))


def _makes_sense(layout: Layout, fields: dict[str, Any]) -> bool:
    return all(fields[field.name] in field.choices for field in layout.fields if field.choices)


@RULES.rule(
    "VU-GPU-01",
    Severity.ERROR,
    "on the GPU channel flags only mark replies, sizes are exact, only negotiated features are used, and dma-buf "
    "updates wait for their answers",
    _GPU_SPEC,
    messages(lambda row, reply: row.known and row.channel is Channel.GPU),
)
def gpu_messages(at: At) -> Findings:
    message, row = at.message, at.message.row
    right = REPLY if message.reply else 0
    if message.flags != right and at.first((row.id, message.reply)):
        yield at.finding(
            f"{at.name} has flags {message.flags:#x} instead of {right:#x}: the GPU channel has no version, flags only "
            "mark replies" + ("" if message.reply else "; QEMU ignores the flags of requests (uninitialised memory?)"),
            severity=Severity.ERROR if message.reply else Severity.WARNING,
        )
    if message.reply:
        return
    lack = lacking(at.after, row.gate)
    if lack is not None and at.first(row.id):
        yield at.finding(f"{at.name} is sent, but {lack.text} on the GPU channel", frames=lack.frames)
    if not message.fits and UPDATE in row.request and len(message.data) >= HEADER_SIZE + UPDATE.fixed_size:
        head = _head(at, UPDATE)
        width, height = head["width"], head["height"]
        wanted = UPDATE.fixed_size + 4 * width * height
        if message.size != wanted:
            yield at.finding(
                f"{at.name} of {width} x {height} pixels has {message.size} bytes instead of {wanted}; "
                "QEMU does not check, and reads past the end of a short message"
            )
    elif DMABUF_UPDATE in row.request:
        before = at.waiting[Channel.GPU].oldest(row.id)
        if before is not None and before.frame != at.frame:
            yield at.finding(
                f"{at.name} is sent while #{before.frame} still waits for the answer that confirms that the display "
                "has shown it",
                frames=(before.frame,),
            )
    elif row.purpose is Purpose.ACK_GPU_FEATURES:
        yield from _gpu_features(at)


def _gpu_features(at: At) -> Findings:
    word = at.after.gpu_features
    if word.offered is not None and word.acked is not None and word.acked & ~word.offered:
        yield at.finding(
            f"GPU protocol features {word.acked:#x} are acknowledged, but only {word.offered:#x} are offered "
            "(bit 0 is EDID, bit 1 DMABUF2)",
            frames=(word.offered_in,),
        )


@memory
class _Edid:
    """The enabled displays (all of them, until an answer lists them), and the last requested scanout."""

    displays: Sequence[int] = range(SCANOUTS)
    scanout: int = 0
    frame: int = 0


@RULES.rule(
    "VU-GPU-02",
    Severity.INFO,
    "a request for an EDID is answered, even for a scanout that does not exist",
    "QEMU hw/display/vhost-user-gpu.c does not answer for a scanout out of range",
    Trigger(
        lambda row, reply: _asks_edid(row, reply) or (reply and DISPLAY_INFO in row.reply),
        frozenset({RecordKind.CHANNEL_CLOSED, RecordKind.CONNECTION_CLOSED}),
        at_end=True,
    ),
    remembers=_Edid,
)
def gpu_edid(at: At[_Edid]) -> Findings:
    if at.over or at.event.message is None:
        for request in waited_in_vain(at):
            if _asks_edid(request.row, False):
                yield from _no_edid(at, request.frame)
    elif at.message.reply:
        displays = at.fields.get("displays", ())
        at.memory.displays = [number for number, display in enumerate(displays) if display["enabled"]]
    elif "scanout" in at.fields:
        at.memory.scanout, at.memory.frame = at.fields["scanout"], at.frame


def _asks_edid(row: Row, reply: bool) -> bool:
    return "EDID" in row.gate.gpu and not reply


def _no_edid(at: At[_Edid], frame: int) -> Findings:
    scanout, displays = at.memory.scanout, at.memory.displays
    if at.memory.frame == frame and scanout not in displays:
        enabled = ", ".join(map(str, displays)) or "none"
        reason, blame = f"scanout {scanout} does not exist (enabled: {enabled}), and QEMU does not answer", Blame.BOTH
    else:
        reason, blame = "the back-end waits forever", Blame.FRONT_END
    yield at.finding(f"the EDID request of #{frame} was never answered: {reason}", blame, frame=frame)


@RULES.rule(
    "VU-INB-01",
    Severity.ERROR,
    "a ring with in-band notifications has no descriptor for them, and num is 0",
    f"{SPEC}, VRING_KICK, BACKEND_VRING_CALL, BACKEND_VRING_ERR",
    requests(*_SLOTS),
)
def in_band_messages(at: At) -> Findings:
    row, fields = at.message.row, at.fields
    if "index" not in fields:
        return
    index = fields["index"]
    if fields["num"]:
        yield at.finding(f"{at.name} of ring {index} has num {fields['num']}; it must be 0")
    slot_name, what = _SLOTS[row.purpose]
    ring = at.after.rings.get(index)
    slot = ring.slots[slot_name] if ring is not None else None
    if slot is not None and slot.name and at.first((row.id, index)):
        yield at.finding(
            f"{at.name} notifies ring {index} by message, although it has {slot.name} as its {what} descriptor "
            f"(#{slot.frame}): one of the two is ignored",
            frames=(slot.frame,),
        )
