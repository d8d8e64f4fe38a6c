"""VU-INF and VU-DST: what is handed over beside the rings: memory for requests in flight, and device state."""

from dataclasses import dataclass
from typing import NamedTuple

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.hang import left_by, waited_in_vain
from vudissect.lint.rule import SPEC, Findings, RuleBook, Trigger, ending, replies, requests
from vudissect.lint.values import undefined_choices
from vudissect.protocol.model import Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.shared_memory import inflight_size
from vudissect.session.names import NamedDescriptor
from vudissect.session.rings import Started

RULES = RuleBook()

# Answers to a stopped ring come within some 10 ms; from here on a guest that is being migrated feels it.
_LONG_STOP = 100_000_000

# More rings than a message can name.
_MOST_NAMED = 256


class _Inflight(NamedTuple):
    """In-flight memory as one message told of it."""

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
        """Why it cannot hold these rings, or ""."""
        needed = inflight_size(queues, queue_size)
        if self.size < needed:
            return f"{self.size} bytes for {queues} rings of {queue_size}, which need {needed} at least"
        length = self.descriptor.descriptor.size if self.descriptor is not None else 0
        if 0 < length < self.offset + self.size:
            return f"{self.size} bytes at offset {self.offset} of a file of {length}"
        return ""


def _told(at: At) -> _Inflight | None:
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


@dataclass(slots=True)
class _Exchange:
    """In-flight memory as it was last asked for and made, and the frame in which it was given back; 0 for none."""

    asked: _Inflight | None = None
    made: _Inflight | None = None
    given_in: int = 0


@RULES.rule(
    "VU-INF-01",
    Severity.ERROR,
    "the back-end makes the in-flight memory, big enough for the rings, and gets back what it made",
    f"{SPEC}, Inflight I/O tracking",
    Trigger(
        lambda row, reply: (
            row is not None and row.purpose in (Purpose.OFFER_INFLIGHT, *(() if reply else (Purpose.SET_INFLIGHT,)))
        )
    ),
    remembers=_Exchange,
)
def inflight_memory(at: At[_Exchange]) -> Findings:
    told, row = _told(at), at.message.row
    if told is None or row is None or at.event.record.marks & Mark.DESCRIPTORS_LOST:
        return
    if at.message.reply:
        at.memory.made = told
        yield from _made(at, told)
    elif row.purpose is Purpose.SET_INFLIGHT:
        yield from _given_back(at, told)
        at.memory.given_in = told.frame
    else:
        # After a reconnection it is given back without having been asked for; who asks has nothing to give back.
        given = at.memory.given_in
        if given and at.memory.asked is None and not at.after.rings.were_started:
            yield at.finding(f"in-flight memory is asked for only after it was given (#{given})", frames=(given,))
        at.memory.asked = told


def _made(at: At[_Exchange], made: _Inflight) -> Findings:
    asked = at.memory.asked or made
    if made.size == 0:
        return  # the back-end declines
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
            yield at.finding(f"the in-flight memory given back is too small: {problem}")
    elif made.size == 0:
        yield at.finding(
            f"in-flight memory is given ({given.text()}), but the back-end had declined to make any",
            frames=(made.frame,),
        )
    elif (made.size, made.offset) != (given.size, given.offset) or _are_different(made.descriptor, given.descriptor):
        yield at.finding(
            f"the in-flight memory given back is not what the back-end made: {given.text()} instead of {made.text()}",
            frames=(made.frame,),
        )


def _are_different(one: NamedDescriptor | None, other: NamedDescriptor | None) -> bool:
    if one is None or other is None:
        return False
    identities = {one.descriptor.identity, other.descriptor.identity}
    return len(identities) == 2 and "" not in identities


@dataclass(slots=True)
class _Given:
    """In-flight memory as it was last given, and the first of its rings that no message had named by then."""

    inflight: _Inflight | None = None
    unknown_ring: int | None = None


@RULES.rule(
    "VU-INF-02",
    Severity.WARNING,
    "in-flight memory is for as many rings as there are, and as the back-end knows by then",
    f"{SPEC}, Inflight I/O tracking; cloud-hypervisor #2931: DPDK uses rings that it has not made yet",
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
    row, told = at.message.row, _told(at)
    assert row is not None
    if told is None:
        index, given = at.fields.get("index", 0), at.memory.inflight
        if given is not None and index >= given.queues and at.first(index):
            yield at.finding(
                f"ring {index} is started, but the in-flight memory given is for {given.queues} rings: "
                "what is in flight on this one is not tracked",
                frames=(given.frame,),
            )
        return
    if row.purpose is Purpose.SET_INFLIGHT:
        at.memory.inflight = told
        rings = range(min(told.queues, _MOST_NAMED))
        at.memory.unknown_ring = next((ring for ring in rings if ring not in at.after.rings), None)
    most = at.after.most_rings
    if most is not None and told.queues > most and at.first(told.queues):
        yield at.finding(f"in-flight memory for {told.queues} rings, but the back-end has {most}")


def _crash_on_unknown_rings(at: At[_Given]) -> Findings:
    state, given, unknown = at.after, at.memory.inflight, at.memory.unknown_ring
    if given is None or unknown is None or not state.whole or left_by(at) != Side.BACK_END.label:
        return
    if at.waiting.answered > given.frame:
        return
    yield at.finding(
        f"the back-end left without another word after #{given.frame} had given in-flight memory for {given.queues} "
        f"rings, of which no message before names ring {unknown}: DPDK uses a ring that it has not made yet",
        Blame.BOTH,
        frame=given.frame,
        frames=(at.frame,),
    )


@RULES.rule(
    "VU-INF-03",
    Severity.INFO,
    "a ring that is slow to stop: the back-end finishes its requests in flight first",
    f"{SPEC}, GET_VRING_BASE",
    replies(Purpose.STOP_RING),
)
def slow_stop(at: At) -> Findings:
    state, latency, request = at.after, at.event.latency, at.event.request
    if (
        latency is not None
        and request is not None
        and latency >= _LONG_STOP
        and state.protocol_features.acked is not None
        and not state.has("GET_VRING_BASE_INFLIGHT")
    ):
        yield at.finding(
            f"ring {at.fields.get('index')} took {latency / 1e6:.0f} ms to stop: without GET_VRING_BASE_INFLIGHT "
            "the back-end must finish all requests in flight first",
            frames=(request.frame,),
        )


@RULES.rule(
    "VU-DST-01",
    Severity.ERROR,
    "device state is transferred while all rings are stopped, by an answer with an error or a descriptor, "
    "and checked with an answer",
    f"{SPEC}, SET_DEVICE_STATE_FD, CHECK_DEVICE_STATE",
    Trigger(
        lambda row, reply: row is not None and row.purpose is Purpose.START_STATE_TRANSFER, ending().kinds, at_end=True
    ),
)
def state_transfer(at: At) -> Findings:
    if at.over:
        yield from _unchecked(at)
    elif at.message.reply:
        error, descriptors = at.fields.get("error", 0), at.event.descriptors
        if error and descriptors:
            yield at.finding(f"the answer reports error {error}, yet carries {descriptors[0].name}")
    else:
        rings = at.after.rings.values() if at.after.rings.started else ()
        started = [ring for ring in rings if ring.started is Started.STARTED]
        if started:
            kicks = tuple(sorted(ring.slots[Purpose.SET_KICK].frame for ring in started))
            names = ", ".join(str(ring.index) for ring in started[:8]) + (", ..." if len(started) > 8 else "")
            yield at.finding(
                f"{at.name} is sent while rings are started ({names}): the device must be suspended first, "
                "else the back-end changes the state while it moves",
                frames=kicks[:8],
            )


def _unchecked(at: At) -> Findings:
    for request in waited_in_vain(at):
        if request.row is not None and request.row.purpose is Purpose.CHECK_STATE_TRANSFER:
            yield at.finding(
                f"{request.row.name} of #{request.frame} was never answered: "
                "its answer tells whether the device state has arrived, and is always due",
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
        yield at.finding(f"{at.name} has {unknown}; only direction 0 and 1 and phase 0 are defined")
