"""VU-INF and VU-DST: what is handed over besides the rings: in-flight memory and device state."""

from typing import NamedTuple

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.hang import left_by, waited_in_vain
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, Trigger, ending, replies, requests
from vudissect.lint.runs import has_not_moved, ring_of
from vudissect.lint.values import undefined_choices
from vudissect.lint.words import count_text
from vudissect.protocol.model import Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.shared_memory import inflight_size
from vudissect.protocol.usual import polls, usual_time
from vudissect.session.names import NamedDescriptor
from vudissect.session.pairing import Request
from vudissect.session.rings import Started

RULES = RuleBook()

# Answers for a stopped ring usually come within 10 ms; a guest that is being migrated notices longer ones.
_LONG_STOP = 100_000_000

# More rings than any message can refer to.
_MOST_NAMED = 256


class _Inflight(NamedTuple):
    """In-flight memory as one message describes it."""

    frame: int
    size: int
    offset: int
    queues: int
    queue_size: int
    descriptor: NamedDescriptor | None

    def text(self) -> str:
        name = self.descriptor.name if self.descriptor is not None else "no descriptor"
        return f"{name}, {self.size} bytes at offset {self.offset}"

    def too_small_for(self, queues: int, queue_size: int) -> str:
        """Why it is too small for these rings, or ""."""
        needed = inflight_size(queues, queue_size)
        if self.size < needed:
            return f"{self.size} bytes for {count_text(queues, 'ring')} of {queue_size}, which need at least {needed}"
        length = self.descriptor.descriptor.size if self.descriptor is not None else 0
        if 0 < length < self.offset + self.size:
            return f"{self.size} bytes at offset {self.offset} of a file of {length}"
        return ""


def _inflight_in(at: At) -> _Inflight | None:
    fields = at.fields
    if "mmap_size" not in fields:
        return None
    return _Inflight(
        at.frame,
        fields["mmap_size"],
        fields["mmap_offset"],
        fields["num_queues"],
        fields["queue_size"],
        at.event.descriptors[0] if at.event.descriptors else None,
    )


@memory
class _Exchange:
    """In-flight memory as last requested and allocated, and the frame in which it was handed back; 0 for none."""

    asked: _Inflight | None = None
    made: _Inflight | None = None
    given_in: int = 0


@RULES.rule(
    "VU-INF-01",
    Severity.ERROR,
    "the back-end allocates in-flight memory large enough for the rings, and the front-end hands it back unchanged",
    f"{SPEC}, Inflight I/O tracking",
    Trigger(lambda row, reply: row.purpose in (Purpose.OFFER_INFLIGHT, *(() if reply else (Purpose.SET_INFLIGHT,)))),
    remembers=_Exchange,
)
def inflight_memory(at: At[_Exchange]) -> Findings:
    inflight, row = _inflight_in(at), at.message.row
    if inflight is None or at.event.record.marks & Mark.DESCRIPTORS_LOST:
        return
    if at.message.reply:
        at.memory.made = inflight
        yield from _made(at, inflight)
    elif row.purpose is Purpose.SET_INFLIGHT:
        yield from _given_back(at, inflight)
        at.memory.given_in = inflight.frame
    else:
        # After a reconnection it is handed back without a request; a front-end that requests it has none to hand back.
        given = at.memory.given_in
        if given and at.memory.asked is None and not at.after.rings.were_started:
            yield at.finding(f"in-flight memory is requested only after it was handed over (#{given})", frames=(given,))
        at.memory.asked = inflight


def _made(at: At[_Exchange], made: _Inflight) -> Findings:
    asked = at.memory.asked or made
    if made.size == 0:
        return  # the back-end declined
    problem = made.too_small_for(asked.queues, asked.queue_size)
    if made.descriptor is None:
        yield at.finding(f"the in-flight memory of {made.size} bytes comes without a descriptor")
    elif problem:
        yield at.finding(f"the in-flight memory {made.descriptor.name} is too small: {problem}")


def _given_back(at: At[_Exchange], given: _Inflight) -> Findings:
    made = at.memory.made
    if made is None:
        problem = given.too_small_for(given.queues, given.queue_size)
        if problem:
            yield at.finding(f"the in-flight memory handed back is too small: {problem}")
    elif made.size == 0:
        yield at.finding(
            f"in-flight memory is handed over ({given.text()}), but the back-end had declined to allocate any",
            frames=(made.frame,),
        )
    elif (made.size, made.offset) != (given.size, given.offset) or _are_different(made.descriptor, given.descriptor):
        yield at.finding(
            f"the in-flight memory handed back is not what the back-end allocated: {given.text()} instead of "
            f"{made.text()}",
            frames=(made.frame,),
        )


def _are_different(one: NamedDescriptor | None, other: NamedDescriptor | None) -> bool:
    if one is None or other is None:
        return False
    identities = {one.descriptor.identity, other.descriptor.identity}
    return len(identities) == 2 and "" not in identities


@memory
class _Given:
    """The in-flight memory last handed over, and the first of its rings that no earlier message had named."""

    inflight: _Inflight | None = None
    unknown_ring: int | None = None


@RULES.rule(
    "VU-INF-02",
    Severity.WARNING,
    "in-flight memory is for as many rings as there are, and for rings that the back-end knows by then",
    f"{SPEC}, Inflight I/O tracking; cloud-hypervisor #2931: DPDK uses rings that it has not allocated yet",
    Trigger(
        requests(Purpose.OFFER_INFLIGHT, Purpose.SET_INFLIGHT, Purpose.SET_KICK).matches,
        frozenset({RecordKind.CONNECTION_CLOSED}),
    ),
    remembers=_Given,
)
def inflight_rings(at: At[_Given]) -> Findings:
    if at.over:
        yield from _crash_on_unknown_rings(at)
        return
    row, inflight = at.message.row, _inflight_in(at)
    if inflight is None:
        index, given = at.fields.get("index", 0), at.memory.inflight
        if given is not None and index >= given.queues and at.first(index):
            yield at.finding(
                f"ring {index} is started, but the in-flight memory is for {count_text(given.queues, 'ring')}: "
                "requests in flight on this one are not tracked",
                frames=(given.frame,),
            )
        return
    if row.purpose is Purpose.SET_INFLIGHT:
        at.memory.inflight = inflight
        rings = range(min(inflight.queues, _MOST_NAMED))
        at.memory.unknown_ring = next((ring for ring in rings if ring not in at.after.rings), None)
    most = at.after.most_rings
    if most is not None and inflight.queues > most and at.first(inflight.queues):
        yield at.finding(f"in-flight memory for {count_text(inflight.queues, 'ring')}, but the back-end has {most}")


def _crash_on_unknown_rings(at: At[_Given]) -> Findings:
    state, given, unknown = at.after, at.memory.inflight, at.memory.unknown_ring
    if given is None or unknown is None or not state.whole or left_by(at) != Side.BACK_END.label:
        return
    if at.waiting.answered > given.frame:
        return
    yield at.finding(
        f"the back-end closed the connection without answering after #{given.frame} handed over in-flight memory for "
        f"{count_text(given.queues, 'ring')}, and no earlier message names ring {unknown}: DPDK uses a ring that it "
        "has not allocated yet",
        Blame.BOTH,
        frame=given.frame,
        frames=(at.frame,),
    )


@RULES.rule(
    "VU-INF-03",
    Severity.INFO,
    "a ring that is slow to stop: the back-end completes its requests in flight first",
    f"{SPEC}, GET_VRING_BASE",
    replies(Purpose.STOP_RING),
)
def slow_stop(at: At) -> Findings:
    state, latency, request = at.after, at.event.latency, at.event.request
    if (
        latency is None
        or request is None
        or latency < _long_stop(at, request)
        or state.protocol_features.acked is None
        or state.has("GET_VRING_BASE_INFLIGHT")
    ):
        return
    ring = ring_of(at)
    if ring is None or not has_not_moved(ring):  # else nothing was in flight
        yield at.finding(
            f"ring {at.fields.get('index')} took {latency / 1e6:.0f} ms to stop: without GET_VRING_BASE_INFLIGHT "
            "the back-end must complete all requests in flight first",
            frames=(request.frame,),
        )


def _long_stop(at: At, request: Request) -> int:
    """After how long (ns) a stop shows that requests were in flight."""
    command = at.after.programs[at.event.record.sender]
    return usual_time(request.row, command).time if polls(command) else _LONG_STOP


@RULES.rule(
    "VU-DST-01",
    Severity.ERROR,
    "device state is transferred while all rings are stopped, the answer has an error or a descriptor, not both, "
    "and the final check is answered",
    f"{SPEC}, SET_DEVICE_STATE_FD, CHECK_DEVICE_STATE",
    Trigger(lambda row, reply: row.purpose is Purpose.START_STATE_TRANSFER, ending().kinds, at_end=True),
)
def state_transfer(at: At) -> Findings:
    if at.over:
        yield from _unchecked(at)
    elif at.message.reply:
        error, descriptors = at.fields.get("error", 0), at.event.descriptors
        if error and descriptors:
            yield at.finding(f"the answer reports error {error}, but carries {descriptors[0].name}")
    else:
        rings = at.after.rings.values() if at.after.rings.started else ()
        started = [ring for ring in rings if ring.started is Started.STARTED]
        if started:
            kicks = tuple(sorted(ring.slots[Purpose.SET_KICK].frame for ring in started))
            names = ", ".join(str(ring.index) for ring in started[:8]) + (", ..." if len(started) > 8 else "")
            yield at.finding(
                f"{at.name} is sent while rings are started ({names}): the device must be suspended first, "
                "or its state changes during the transfer",
                frames=kicks[:8],
            )


def _unchecked(at: At) -> Findings:
    for request in waited_in_vain(at):
        if request.row.purpose is Purpose.CHECK_STATE_TRANSFER:
            yield at.finding(
                f"{request.row.name} of #{request.frame} was never answered: "
                "its answer reports whether the device state has arrived, and is always due",
                Blame.BACK_END,
                frame=request.frame,
            )


@RULES.rule(
    "VU-DST-02",
    Severity.WARNING,
    "device state is saved (0) or loaded (1), in phase stopped (0)",
    f"{SPEC}, Device state transfer parameters",
    requests(Purpose.START_STATE_TRANSFER),
)
def state_transfer_parameters(at: At) -> Findings:
    unknown = ", ".join(undefined_choices(at.message))
    if unknown:
        yield at.finding(f"{at.name} has {unknown}; only directions 0 and 1 and phase 0 are defined")
