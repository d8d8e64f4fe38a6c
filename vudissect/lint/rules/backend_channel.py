"""VU-BEC, VU-SHO, VU-SHM: the channel on which the back-end asks, and the objects and memory that it shares there."""

from itertools import zip_longest
from typing import NamedTuple
from uuid import UUID

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, events, irregular, messages, replies
from vudissect.lint.rules.framing import asks_in_vain, why_no_acknowledgement
from vudissect.protocol.model import Answer, Channel, Meaning, Row, Side
from vudissect.protocol.programs import ANY, QEMU, room_of
from vudissect.protocol.purpose import Purpose
from vudissect.session.extents import Extents
from vudissect.wire.header import REPLY

RULES = RuleBook()

_CHANNEL = f"{SPEC}, Back-end message types"

_BLAMES = {Side.FRONT_END.label: Blame.FRONT_END, Side.BACK_END.label: Blame.BACK_END}

# When both sides shut down the channel may go first; that takes no longer than this.
_A_SECOND = 1_000_000_000

# A hostile peer could share without end.
_MOST_SHARED = 1024

_NIL = str(UUID(int=0))
_PAGE = 4096


def _shares_object(row: Row | None) -> bool:
    return row is not None and row.purpose in (Purpose.ADD_OBJECT, Purpose.REMOVE_OBJECT)


def _names_object(row: Row | None) -> bool:
    return row is not None and any(field.meaning is Meaning.UUID for layout in row.request for field in layout.fields)


def _may_ask_for_acknowledgement(row: Row | None, reply: bool) -> bool:
    # Translations, of which there are thousands, are for VU-IOT-04.
    return (
        row is not None
        and not reply
        and row.channel is Channel.BACKEND
        and row.answer is Answer.ON_REQUEST
        and row.purpose is not Purpose.UPDATE_IOTLB
    )


class _Objects:
    """The shared objects of a connection, by UUID, with the frames in which they were added.

    `doubtful` are those of requests that were answered with a failure, which with some front-ends means a success.
    """

    def __init__(self) -> None:
        self.added: dict[str, int] = {}
        self.doubtful: set[str] = set()
        self.asked: dict[int, str] = {}

    def take(self, at: At) -> None:
        """Follow a request that adds or removes an object, or its answer."""
        request = at.event.request
        if at.message.reply:
            uuid = self.asked.pop(request.frame, "") if request is not None else ""
            if at.fields.get("result") and len(self.doubtful) < _MOST_SHARED:
                self.added.pop(uuid, None)
                self.doubtful.add(uuid)
            return
        uuid = at.fields.get("uuid", "")
        if at.event.awaits and len(self.asked) < _MOST_SHARED:
            self.asked[at.frame] = uuid
        if at.message.row is not None and at.message.row.purpose is Purpose.REMOVE_OBJECT:
            self.added.pop(uuid, None)
        elif len(self.added) < _MOST_SHARED:
            self.added.setdefault(uuid, at.frame)


@RULES.rule(
    "VU-BEC-01",
    Severity.ERROR,
    "the back-end asks on its own channel, for acknowledgements only with REPLY_ACK, and is answered truly there",
    f"{_CHANNEL}; QEMU eea5aeef84. Answers that nobody asked for: VU-RPL-01, -02, -12",
    messages(lambda row, reply: _may_ask_for_acknowledgement(row, reply) or _shares_object(row)) | irregular(),
)
def requests_of_the_back_end(at: At) -> Findings:
    message, channel = at.message, at.event.record.channel
    if channel is Channel.MAIN and message.reply and at.event.request is None and not message.flags & REPLY:
        row = at.after.protocol.request(Channel.BACKEND, message.id)
        if row is not None:
            yield at.finding(
                f"the back-end sends a request on the main channel (message {message.id}, which is {row.name} on the "
                "back-end channel): only the front-end asks there, and takes it for a wrong answer"
            )
    if _may_ask_for_acknowledgement(message.row, message.reply) and asks_in_vain(at) and at.first():
        yield at.finding(
            f"{at.name} asks the front-end for an acknowledgement (NEED_REPLY), but {why_no_acknowledgement(at)}: "
            "a back-end that waits for it may wait for ever"
        )
    if _shares_object(message.row):
        yield from _inverted(at)


def _inverted(at: At) -> Findings:
    """Answers of QEMU 8.2 to 9.1, where 1 meant success."""
    known: dict[int, bool] = at.memory.setdefault("should succeed", {})
    objects: _Objects = at.memory.setdefault("objects", _Objects())
    adds = at.message.row is not None and at.message.row.purpose is Purpose.ADD_OBJECT
    request, result = at.event.request, at.fields.get("result")
    if not at.message.reply:
        uuid = at.fields.get("uuid")
        doubtful = uuid in objects.doubtful or uuid in (None, _NIL)
        if at.event.awaits and not doubtful and len(known) < _MOST_SHARED:
            known[at.frame] = adds != (uuid in objects.added)
    elif request is not None and request.frame in known:
        expected = known.pop(request.frame)
        program = room_of(at.after.programs[Side.FRONT_END], Side.FRONT_END)
        if result == expected and program in (QEMU, ANY) and at.after.opened is not None:
            outcome = "should have succeeded" if expected else "should have failed"
            yield at.finding(
                f"{at.name} (#{request.frame}) {outcome} and is answered {result}, which means "
                f"{'failure' if result else 'success'}: QEMU 8.2 to 9.1 answer the other way round (eea5aeef84)",
                frames=(request.frame,),
            )
    objects.take(at)


@RULES.rule(
    "VU-BEC-02",
    Severity.WARNING,
    "the back-end channel stays open while the session goes on",
    "QEMU closes the channel on a malformed message and goes on without it",
    messages(lambda row, reply: not reply and row is not None and _shows_life(row))
    | events(RecordKind.CHANNEL_CLOSED)
    | ending(),
)
def channel_closed(at: At) -> Findings:
    memory, record, message = at.memory, at.event.record, at.event.message
    if record.kind is RecordKind.CHANNEL_CLOSED and not at.over:
        by = record.details.get("by")
        if record.channel is Channel.BACKEND and by in _BLAMES:
            memory["closed"] = (at.frame, record.received, by)
    elif message is not None and message.row is not None and message.row.opens is Channel.BACKEND:
        memory.clear()
    elif "closed" in memory:
        frame, when, by = memory["closed"]
        if not at.over or record.received - when >= _A_SECOND:
            memory.clear()
            yield at.finding(
                f"the {by} closed the back-end channel and the session went on without it: the back-end can no longer "
                "tell of changes in the configuration or ask for translations",
                _BLAMES[by],
                frame=frame,
                frames=(at.frame,),
            )


def _shows_life(row: Row) -> bool:
    # Not translations: there are thousands of them, and they cease with the channel.
    return row.channel is Channel.MAIN and row.purpose is not Purpose.UPDATE_IOTLB


@RULES.rule(
    "VU-SHO-01",
    Severity.ERROR,
    "a shared object has a UUID, is added once before it is removed, and is found with its descriptor",
    f"{SPEC}, SHARED_OBJECT; rust-vmm refuses the nil UUID",
    messages(
        lambda row, reply: _names_object(row) and row is not None and (row.channel is Channel.BACKEND or not reply)
    ),
)
def shared_objects(at: At) -> Findings:
    message, row = at.message, at.message.row
    objects: _Objects = at.memory.setdefault("objects", _Objects())
    assert row is not None
    uuid = at.fields.get("uuid")
    if message.reply:
        if row.answer is Answer.ALWAYS and at.fields.get("result") == 0 and not at.event.descriptors and not _lost(at):
            yield at.finding(
                f"{at.name} is answered with success but without a descriptor: the dma-buf belongs on this answer "
                "(QEMU puts it on the main channel, where the back-end does not look for it)"
            )
    elif uuid == _NIL:
        yield at.finding(f"{at.name} names the nil UUID, which stands for no object")
    elif row.purpose is Purpose.ADD_OBJECT and uuid in objects.added:
        first = objects.added[uuid]
        yield at.finding(f"{at.name} adds {uuid}, which it has added in #{first} already", frames=(first,))
    elif row.purpose is Purpose.REMOVE_OBJECT and uuid is not None and _is_surely_absent(at, uuid):
        yield at.finding(f"{at.name} removes {uuid}, which is not there: never added, or removed already")
    if _shares_object(row):
        objects.take(at)


def _lost(at: At) -> bool:
    """Whether descriptors are missing because they were lost on the way: VU-HDR-10."""
    return bool(at.event.record.marks & Mark.DESCRIPTORS_LOST)


def _is_surely_absent(at: At, uuid: str) -> bool:
    """Whether an object is not there, all that was ever shared being remembered."""
    objects: _Objects = at.memory["objects"]
    remembered = at.after.opened is not None and max(len(objects.added), len(objects.doubtful)) < _MOST_SHARED
    return remembered and uuid not in objects.added and uuid not in objects.doubtful


@RULES.rule(
    "VU-SHO-02",
    Severity.ERROR,
    "a shared object is asked for by its UUID and answered with one descriptor",
    f"{SPEC}, GET_SHARED_OBJECT; QEMU hw/virtio/vhost-user.c announces 0 bytes; libvhost-user reads 16",
    messages(lambda row, reply: _names_object(row) and row is not None and row.channel is Channel.MAIN),
)
def asked_for_object(at: At) -> Findings:
    message, request, nameless = at.message, at.event.request, at.memory
    if not message.reply:
        if message.layout is not None and message.layout.deviation:
            if len(nameless) < _MOST_SHARED:
                nameless[at.frame] = True
            yield at.finding(
                f"{at.name} has a payload of {message.size} bytes, so that the back-end cannot know which object is "
                f"meant: {message.layout.deviation}"
            )
    elif request is not None and nameless.pop(request.frame, False):
        return  # what could it be answered with?
    elif message.layout is not None and not at.event.descriptors and not _lost(at):
        yield at.finding(f"the answer to {at.name} has no descriptor: the front-end does not get the object")


class _Mapping(NamedTuple):
    """A mapping into a shared memory region: its range, and the frame that asked for it."""

    region: int
    start: int
    size: int
    frame: int

    @property
    def end(self) -> int:
        return self.start + self.size

    def __str__(self) -> str:
        return f"{self.start:#x} to {self.end:#x} of shared memory region {self.region}"


class _Mappings:
    """The mappings of a connection, by the frame that asked for them, by range, and by place in their region."""

    def __init__(self) -> None:
        self._by_frame: dict[int, _Mapping] = {}
        self._by_range: dict[tuple[int, int, int], set[int]] = {}
        self._by_region: dict[int, Extents[_Mapping]] = {}

    def __len__(self) -> int:
        return len(self._by_frame)

    def add(self, mapping: _Mapping) -> None:
        self._by_frame[mapping.frame] = mapping
        self._by_range.setdefault(mapping[:3], set()).add(mapping.frame)
        self._by_region.setdefault(mapping.region, Extents(lambda each: each.start)).add(mapping)

    def remove(self, frame: int) -> None:
        """Remove what a frame has mapped, if it is there."""
        mapping = self._by_frame.pop(frame, None)
        if mapping is not None:
            frames, extents = self._by_range[mapping[:3]], self._by_region[mapping.region]
            frames.remove(frame)
            extents.remove(mapping)
            if not frames:
                del self._by_range[mapping[:3]]
            if not extents:
                del self._by_region[mapping.region]

    def remove_range(self, mapping: _Mapping) -> bool:
        """Remove what was mapped with the same range; whether anything was."""
        frames = tuple(self._by_range.get(mapping[:3], ()))
        for frame in frames:
            self.remove(frame)
        return bool(frames)

    def overlapping(self, mapping: _Mapping) -> _Mapping | None:
        """The oldest mapping that shares bytes with this one."""
        extents = self._by_region.get(mapping.region)
        shared = extents.within(mapping.start, mapping.end) if extents is not None else ()
        return min(shared, key=lambda other: other.frame, default=None)


@RULES.rule(
    "VU-SHM-01",
    Severity.ERROR,
    "mappings of shared memory lie page by page within their region, apart, and are undone as they were made",
    f"{SPEC}, SHMEM_MAP and SHMEM_UNMAP. Without the feature: VU-NEG-06",
    messages(
        lambda row, reply: (
            row is not None
            and (
                row.purpose in (Purpose.MAP_SHARED_MEMORY, Purpose.UNMAP_SHARED_MEMORY)
                or (not reply and row.purpose in (Purpose.RESET, Purpose.SET_STATUS))
            )
        )
    ),
)
def shared_memory(at: At) -> Findings:
    maps: _Mappings = at.memory.setdefault("maps", _Mappings())
    row, fields, request = at.message.row, at.fields, at.event.request
    assert row is not None
    if row.purpose is Purpose.RESET or fields.get("status") == 0:
        # Whether mappings outlive a reset is not said: from here on nothing is known of those before.
        at.memory["maps"] = _Mappings()
        at.memory["forgotten"] = True
    elif at.message.reply:
        if request is not None and fields.get("result"):
            maps.remove(request.frame)
    elif "shmid" in fields:
        mapping = _Mapping(fields["shmid"], fields["shm_offset"], fields["len"], at.frame)
        if row.purpose is Purpose.MAP_SHARED_MEMORY:
            flaw, frames = _flaw(at, mapping, maps)
            if flaw:
                yield at.finding(f"{at.name} maps {mapping}, {flaw}", frames=frames)
            if len(maps) < _MOST_SHARED:
                maps.add(mapping)
            else:
                at.memory["forgotten"] = True
        elif not maps.remove_range(mapping) and at.after.opened is not None and "forgotten" not in at.memory:
            near = maps.overlapping(mapping)
            hint = f"; #{near.frame} mapped {near}" if near is not None else ""
            yield at.finding(
                f"{at.name} unmaps {mapping}, which was not mapped like that{hint}",
                frames=(near.frame,) if near is not None else (),
            )


def _flaw(at: At, mapping: _Mapping, maps: _Mappings) -> tuple[str, tuple[int, ...]]:
    """What is wrong with a new mapping ("" for nothing), and the frames that led to it."""
    sizes, fields = at.after.shared_memory, at.fields
    page = max([_PAGE, *(named.descriptor.page_size for named in at.event.descriptors)])
    if sizes is not None:
        size = sizes[mapping.region] if mapping.region < len(sizes) else 0
        if not size:
            return "which the device does not have", ()
        if mapping.end > size:
            return f"beyond its end at {size:#x}", ()
    if not fields["len"]:
        return "which is nothing", ()
    unaligned = [name for name in ("fd_offset", "shm_offset", "len") if fields[name] % page]
    if unaligned:
        values = ", ".join(f"{name} {fields[name]:#x}" for name in unaligned)
        return f"not on pages of {page} bytes: {values}", ()
    other = maps.overlapping(mapping)
    if other is not None:
        return f"where #{other.frame} has mapped {other.start:#x} to {other.end:#x}", (other.frame,)
    return "", ()


@RULES.rule(
    "VU-SHM-02",
    Severity.WARNING,
    "shared memory regions keep their sizes, which are whole pages",
    f"{SPEC}, GET_SHMEM_CONFIG",
    replies(Purpose.COUNT_SHARED_MEMORY),
)
def shared_memory_sizes(at: At) -> Findings:
    sizes = at.after.shared_memory
    if at.message.layout is None or sizes is None:
        return
    for region, size in enumerate(sizes):
        if size % _PAGE:
            yield at.finding(f"shared memory region {region} has {size:#x} bytes, which are no whole pages of {_PAGE}")
            break
    frame, before = at.memory.get("before", (at.frame, sizes))
    for region, (old, new) in enumerate(zip_longest(before, sizes, fillvalue=0)):
        if old != new:
            yield at.finding(
                f"shared memory region {region} had {old:#x} bytes in #{frame} and now has {new:#x}", frames=(frame,)
            )
            break
    at.memory["before"] = (at.frame, sizes)
