"""VU-BEC, VU-SHO, VU-SHM: the channel for requests of the back-end, and the objects and memory that it shares."""

from dataclasses import field
from itertools import zip_longest
from uuid import UUID

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import LastFrame, memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, events, irregular, messages, replies, requests
from vudissect.lint.rules.framing import asks_in_vain, why_no_acknowledgement
from vudissect.lint.words import SECOND
from vudissect.protocol.model import Answer, Channel, Meaning, Row, Side
from vudissect.protocol.programs import ANY, QEMU, room_of
from vudissect.protocol.purpose import Purpose
from vudissect.session.shared import SharedMapping
from vudissect.session.state import State
from vudissect.wire.header import REPLY

RULES = RuleBook()

_CHANNEL = f"{SPEC}, Back-end message types"

_BLAMES = {Side.FRONT_END.label: Blame.FRONT_END, Side.BACK_END.label: Blame.BACK_END}

# A hostile peer could send requests forever.
_MOST_EXPECTED = 1024

_NIL = str(UUID(int=0))
_PAGE = 4096


def _shares_object(row: Row) -> bool:
    return row.purpose in (Purpose.ADD_OBJECT, Purpose.REMOVE_OBJECT)


def _names_object(row: Row) -> bool:
    return any(field.meaning is Meaning.UUID for layout in row.request for field in layout.fields)


def _may_ask_for_acknowledgement(row: Row, reply: bool) -> bool:
    # There are thousands of translations: they are for VU-IOT-04.
    return (
        not reply
        and row.channel is Channel.BACKEND
        and row.answer is Answer.ON_REQUEST
        and row.purpose is not Purpose.UPDATE_IOTLB
    )


@memory
class _Expectations:
    """Whether pending requests should succeed, by frame."""

    success: dict[int, bool] = field(default_factory=dict)


@RULES.rule(
    "VU-BEC-01",
    Severity.ERROR,
    "back-end requests use the back-end channel, ask for acknowledgements only with REPLY_ACK, and get correct answers",
    f"{_CHANNEL}; QEMU eea5aeef84. Unsolicited answers: VU-RPL-01, -02, -12",
    messages(lambda row, reply: _may_ask_for_acknowledgement(row, reply) or _shares_object(row)) | irregular(),
    remembers=_Expectations,
)
def requests_of_the_back_end(at: At[_Expectations]) -> Findings:
    message, channel = at.message, at.event.record.channel
    if channel is Channel.MAIN and message.reply and at.event.request is None and not message.flags & REPLY:
        row = at.after.protocol.request(Channel.BACKEND, message.id)
        if row is not None:
            yield at.finding(
                f"the back-end sends a request on the main channel (message {message.id}, which is {row.name} on the "
                "back-end channel): only the front-end sends requests there, and it takes this for a wrong answer"
            )
    if _may_ask_for_acknowledgement(message.row, message.reply) and asks_in_vain(at) and at.first():
        yield at.finding(
            f"{at.name} asks the front-end for an acknowledgement (NEED_REPLY), but {why_no_acknowledgement(at)}: "
            "a back-end that waits for it may wait forever"
        )
    if _shares_object(message.row):
        yield from _inverted(at)


def _inverted(at: At[_Expectations]) -> Findings:
    """Answers of QEMU 8.2 to 9.1, where 1 meant success."""
    expected, request, result = at.memory.success, at.event.request, at.fields.get("result")
    if not at.message.reply:
        uuid, objects = at.fields.get("uuid", _NIL), at.before.objects
        if at.event.awaits and uuid != _NIL and uuid not in objects.doubtful and len(expected) < _MOST_EXPECTED:
            adds = at.message.row.purpose is Purpose.ADD_OBJECT
            expected[at.frame] = adds != (uuid in objects.added)
    elif request is not None and request.frame in expected:
        succeeds = expected.pop(request.frame)
        program = room_of(at.after.programs[Side.FRONT_END], Side.FRONT_END)
        if result == succeeds and program in (QEMU, ANY) and at.after.from_start:
            outcome = "should have succeeded" if succeeds else "should have failed"
            yield at.finding(
                f"{at.name} (#{request.frame}) {outcome}, but the answer is {result}, which means "
                f"{'failure' if result else 'success'}: QEMU 8.2 to 9.1 invert the result (fixed by eea5aeef84)",
                frames=(request.frame,),
            )


@memory
class _Closed:
    """Where the back-end channel was closed, when (ns) and by whom: the label of a `Side`, "" while it is open."""

    by: str = ""
    frame: int = 0
    time: int = 0


@RULES.rule(
    "VU-BEC-02",
    Severity.WARNING,
    "the back-end channel stays open for the whole session",
    "QEMU closes the channel on a malformed message and carries on without it",
    messages(lambda row, reply: not reply and row.known and _shows_life(row))
    | events(RecordKind.CHANNEL_CLOSED)
    | ending(),
    remembers=_Closed,
)
def channel_closed(at: At[_Closed]) -> Findings:
    closed, record, message = at.memory, at.event.record, at.event.message
    if record.kind is RecordKind.CHANNEL_CLOSED and not at.over:
        by = str(record.details.get("by"))
        if record.channel is Channel.BACKEND and by in _BLAMES:
            closed.by, closed.frame, closed.time = by, at.frame, record.received
    elif message is not None and message.row.opens is Channel.BACKEND:
        at.restart()
    elif closed.by and (not at.over or record.received - closed.time >= SECOND):
        at.restart()
        yield at.finding(
            f"the {closed.by} closed the back-end channel and the session continued without it: the back-end can no "
            "longer announce configuration changes or request translations",
            _BLAMES[closed.by],
            frame=closed.frame,
            frames=(at.frame,),
        )


def _shows_life(row: Row) -> bool:
    # Not translations: there are thousands of them, and they stop with the channel.
    return row.channel is Channel.MAIN and row.purpose is not Purpose.UPDATE_IOTLB


@RULES.rule(
    "VU-SHO-01",
    Severity.ERROR,
    "a shared object has a UUID, is added once before it is removed, and a lookup returns its descriptor",
    f"{SPEC}, SHARED_OBJECT; rust-vmm refuses the nil UUID",
    messages(lambda row, reply: _names_object(row) and (row.channel is Channel.BACKEND or not reply)),
)
def shared_objects(at: At) -> Findings:
    message, row = at.message, at.message.row
    objects = at.before.objects
    uuid = at.fields.get("uuid")
    if message.reply:
        if row.answer is Answer.ALWAYS and at.fields.get("result") == 0 and not at.event.descriptors and not _lost(at):
            yield at.finding(
                f"the answer to {at.name} reports success but carries no descriptor: the dma-buf belongs on this "
                "answer (QEMU sends it on the main channel, where the back-end does not expect it)"
            )
    elif uuid == _NIL:
        yield at.finding(f"{at.name} uses the nil UUID, which is not a valid object")
    elif row.purpose is Purpose.ADD_OBJECT and uuid is not None and uuid in objects.added:
        first = objects.added[uuid]
        yield at.finding(f"{at.name} adds {uuid} again, first added in #{first}", frames=(first,))
    elif row.purpose is Purpose.REMOVE_OBJECT and uuid is not None and _is_surely_absent(at.before, uuid):
        yield at.finding(f"{at.name} removes {uuid}, which does not exist: never added, or already removed")


def _lost(at: At) -> bool:
    """Whether descriptors are missing because they were lost on the way: VU-HDR-10."""
    return bool(at.event.record.marks & Mark.DESCRIPTORS_LOST)


def _is_surely_absent(state: State, uuid: str) -> bool:
    """Whether an object is known not to exist; False where the capture may have missed it."""
    objects = state.objects
    known = state.from_start and objects.complete
    return known and uuid not in objects.added and uuid not in objects.doubtful


@memory
class _Nameless:
    """The frames of requests that do not name an object."""

    frames: set[int] = field(default_factory=set)


@RULES.rule(
    "VU-SHO-02",
    Severity.ERROR,
    "a shared object is requested by its UUID, and the answer carries one descriptor",
    f"{SPEC}, GET_SHARED_OBJECT; QEMU hw/virtio/vhost-user.c sends size 0; libvhost-user reads 16 bytes",
    messages(lambda row, reply: _names_object(row) and row.channel is Channel.MAIN),
    remembers=_Nameless,
)
def asked_for_object(at: At[_Nameless]) -> Findings:
    message, request, nameless = at.message, at.event.request, at.memory.frames
    if not message.reply:
        if message.layout.deviation:
            if len(nameless) < _MOST_EXPECTED:
                nameless.add(at.frame)
            yield at.finding(
                f"{at.name} has a payload of {message.size} bytes, so the back-end cannot know which object is "
                f"requested: {message.layout.deviation}"
            )
    elif request is not None and request.frame in nameless:
        nameless.remove(request.frame)  # there is no right answer to it
    elif message.fits and not at.event.descriptors and not _lost(at):
        yield at.finding(f"the answer to {at.name} has no descriptor: the front-end does not receive the object")


def _mapping(at: At) -> SharedMapping | None:
    """What the message maps or unmaps."""
    fields = at.fields
    if "shmid" not in fields:
        return None
    return SharedMapping(fields["shmid"], fields["shm_offset"], fields["len"], "", fields["fd_offset"], at.frame)


def _place(mapping: SharedMapping) -> str:
    return f"{mapping.start:#x} to {mapping.end:#x} of shared memory region {mapping.region}"


@RULES.rule(
    "VU-SHM-01",
    Severity.ERROR,
    "shared memory mappings are whole pages within their region, do not overlap, and are unmapped exactly as mapped",
    f"{SPEC}, SHMEM_MAP and SHMEM_UNMAP. Without the feature: VU-NEG-06",
    requests(Purpose.MAP_SHARED_MEMORY, Purpose.UNMAP_SHARED_MEMORY),
)
def shared_memory(at: At) -> Findings:
    mapping, row = _mapping(at), at.message.row
    if mapping is None:
        return
    mappings = at.before.mappings
    if row.purpose is Purpose.MAP_SHARED_MEMORY:
        flaw, frames = _flaw(at, mapping)
        if flaw:
            yield at.finding(f"{at.name} maps {_place(mapping)}, {flaw}", frames=frames)
    elif at.after.from_start and mappings.complete and not mappings.with_range(*mapping[:3]):
        near = mappings.overlapping(*mapping[:3])
        hint = f"; #{near.frame} mapped {_place(near)}" if near is not None else ""
        yield at.finding(
            f"{at.name} unmaps {_place(mapping)}, which was not mapped with these bounds{hint}",
            frames=(near.frame,) if near is not None else (),
        )


def _flaw(at: At, mapping: SharedMapping) -> tuple[str, tuple[int, ...]]:
    """What is wrong with a new mapping ("" if nothing), and the frames that led to it."""
    other = at.before.mappings.overlapping(*mapping[:3])
    flaw = _beyond_region(at, mapping) or ("" if mapping.size else "which is empty") or _not_on_pages(at)
    if flaw or other is None:
        return flaw, ()
    return f"which overlaps {other.start:#x} to {other.end:#x} of #{other.frame}", (other.frame,)


def _beyond_region(at: At, mapping: SharedMapping) -> str:
    sizes = at.after.shared_memory
    if sizes is None:
        return ""
    size = sizes[mapping.region] if mapping.region < len(sizes) else 0
    if not size:
        return "which the device does not have"
    return f"past its end at {size:#x}" if mapping.end > size else ""


def _not_on_pages(at: At) -> str:
    page = max([_PAGE, *(named.descriptor.page_size for named in at.event.descriptors)])
    odd = [f"{name} {at.fields[name]:#x}" for name in ("fd_offset", "shm_offset", "len") if at.fields[name] % page]
    return f"not aligned to pages of {page} bytes: {', '.join(odd)}" if odd else ""


@RULES.rule(
    "VU-SHM-02",
    Severity.WARNING,
    "shared memory regions keep their sizes, which are multiples of the page size",
    f"{SPEC}, GET_SHMEM_CONFIG",
    replies(Purpose.COUNT_SHARED_MEMORY),
    remembers=LastFrame,
)
def shared_memory_sizes(at: At[LastFrame]) -> Findings:
    sizes = at.after.shared_memory
    if not at.message.fits or sizes is None:
        return
    for region, size in enumerate(sizes):
        if size % _PAGE:
            yield at.finding(f"shared memory region {region} has {size:#x} bytes, which is not a multiple of {_PAGE}")
            break
    before, frame = at.before.shared_memory, at.memory.frame
    for region, (old, new) in enumerate(zip_longest(before or (), sizes, fillvalue=0) if frame else ()):
        if old != new:
            yield at.finding(
                f"shared memory region {region} had {old:#x} bytes in #{frame} and now has {new:#x}", frames=(frame,)
            )
            break
    at.memory.frame = at.frame
