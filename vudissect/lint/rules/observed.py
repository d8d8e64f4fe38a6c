"""VU-OBS-01 to 06, 10: what was seen in the rings. These rules know what the others can only suspect."""

from dataclasses import field

from vudissect.capture.observation import Observation
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.looks import MOST_RINGS, OBSERVED, POSITIONS, SPLIT_RINGS, Misplaced, looks
from vudissect.lint.memory import memory
from vudissect.lint.positions import halves, is_packed
from vudissect.lint.rule import SPEC, Findings, RuleBook
from vudissect.lint.words import SECOND, count_text, time_text
from vudissect.protocol.features import F_EVENT_IDX
from vudissect.rings.places import WRAP
from vudissect.session.rings import Enabled, Ring, Started
from vudissect.session.stalls import suppression_text, waits_for_device
from vudissect.session.state import State

RULES = RuleBook()

# A request may take long on a slow disk, and a guest may not run for a while.
_LONG = 5 * SECOND


@memory
class _Reported:
    """The rings about which this was reported, and has not ended since."""

    rings: set[int] = field(default_factory=set)


def _begins(at: At[_Reported], ring: int, *, holds: bool) -> bool:
    """Whether something holds for a ring now that did not before."""
    reported = at.memory.rings
    if not holds:
        reported.discard(ring)
        return False
    if ring in reported or len(reported) >= MOST_RINGS:
        return False
    reported.add(ring)
    return True


def _pending(at: At, seen: Observation) -> str:
    """What is pending, how long and since when: `request 34: flush, pending for 5.0 s (since 3.204 s)`."""
    what = seen.request or count_text(seen.pending or 0, "request")
    record = at.event.record
    since = at.event.elapsed + (seen.time or record.received) - record.received - seen.waited
    return f"{what}, pending for {time_text(seen.waited)} (since {max(0, since) / SECOND:.3f} s)"


@RULES.rule(
    "VU-OBS-01",
    Severity.ERROR,
    "a back-end reads the kicks of a ring that it has to process",
    f"{SPEC}, Ring states; {SPLIT_RINGS}, Available Buffer Notification",
    OBSERVED,
    remembers=_Reported,
)
def kick_not_read(at: At[_Reported]) -> Findings:
    for ring, seen in looks(at):
        # A back-end may take a while until it watches a new ring: Open vSwitch moves its ports to other threads first.
        patience = SECOND if _has_worked(at.after, ring, seen) else _LONG
        unread = seen.kick_unread >= patience and not seen.no_kicks
        stuck = seen.waited >= SECOND and (unread or seen.back_end_stopped)
        if _begins(at, ring.index, holds=ring.running and stuck and waits_for_device(at.after, seen)):
            why = ", and its kick is unread" if unread else ""
            if seen.back_end_stopped:
                why += ": the process of the back-end is stopped, by a signal or a debugger"
            else:
                why += ": the back-end does not run, or does not watch the kick descriptor that it was given"
            yield at.finding(
                f"ring {ring.index}: {_pending(at, seen)}{why}",
                Blame.BACK_END,
                frames=(ring.runs_since,),
            )


def _has_worked(state: State, ring: Ring, seen: Observation) -> bool:
    """Whether something was completed since the ring was started, if that is known."""
    if ring.base is None or seen.avail is None or not ring.size:
        return False
    if not is_packed(state):
        return seen.used != ring.base % POSITIONS
    oldest = ((seen.avail & ~WRAP) - (seen.pending or 0)) % ring.size
    return oldest != halves(ring.base)[1] & ~WRAP


@RULES.rule(
    "VU-OBS-02",
    Severity.WARNING,
    "a back-end completes the requests that it has taken",
    f"{SPLIT_RINGS}, Supplying Buffers to The Device",
    OBSERVED,
    remembers=_Reported,
)
def request_not_completed(at: At[_Reported]) -> Findings:
    for ring, seen in looks(at):
        noticed = seen.kick == 0 or (seen.no_kicks and seen.kick is not None)
        # Of a ring that begins elsewhere, VU-OBS-08 has said why.
        misplaced = (at.after.number, ring.index) in at.lasting(Misplaced).rings
        stuck = seen.waited >= _LONG and noticed and not (seen.back_end_stopped or misplaced)
        if _begins(at, ring.index, holds=ring.running and stuck and waits_for_device(at.after, seen)):
            how = "its kick was read, unless the driver wrote none"
            if seen.no_kicks:
                how = f"the driver need not kick, as the device asks for none {suppression_text(at.after)}"
            yield at.finding(
                f"ring {ring.index}: {_pending(at, seen)}; {how}: the back-end has it and does not complete it"
                f"{_perhaps_too_early(ring, seen)}",
                Blame.BACK_END,
                frames=(ring.runs_since,),
            )


def _perhaps_too_early(ring: Ring, seen: Observation) -> str:
    """A hint, if a ring whose device waits for kicks has never worked since it was started."""
    if seen.no_kicks or ring.base is None or seen.used != ring.base % POSITIONS:
        return ""
    return (
        f". Nothing was completed since the ring was started: a kick from before it was enabled (#{ring.runs_since}) "
        "may have been lost"
    )


@RULES.rule(
    "VU-OBS-03",
    Severity.WARNING,
    "a ring in which requests are waiting is enabled",
    f"{SPEC}, Ring states: a back-end does not process a ring that is not enabled",
    OBSERVED,
    remembers=_Reported,
)
def waiting_in_disabled_ring(at: At[_Reported]) -> Findings:
    for ring, seen in looks(at):
        idle = ring.started is Started.STARTED and ring.enabled is Enabled.DISABLED
        if _begins(at, ring.index, holds=idle and seen.waited >= SECOND and waits_for_device(at.after, seen)):
            yield at.finding(
                f"ring {ring.index}: {_pending(at, seen)}, but the ring is started and not enabled, and before that a "
                "back-end must not process it",
                Blame.FRONT_END,
            )


@RULES.rule(
    "VU-OBS-04",
    Severity.WARNING,
    "a front-end passes calls on to the guest",
    f"{SPLIT_RINGS}, Used Buffer Notification Suppression",
    OBSERVED,
    remembers=_Reported,
)
def call_not_read(at: At[_Reported]) -> Findings:
    for ring, seen in looks(at):
        unread = seen.call_unread >= SECOND
        missed = seen.unnoticed >= SECOND and (unread or seen.front_end_stopped)
        if _begins(at, ring.index, holds=missed and ring.started is Started.STARTED):
            how = f", its call has been unread for {time_text(seen.call_unread)}," if unread else ""
            why = "the front-end or its guest does not run, or does not watch the call descriptor"
            if seen.front_end_stopped:
                why = "the process of the front-end is stopped, by a signal or a debugger"
            noticed = "noticed" if at.after.features.has(F_EVENT_IDX) else "made a request since"
            yield at.finding(
                f"ring {ring.index}: the device is at {seen.used}{how} and the driver has not {noticed}: {why}",
                Blame.FRONT_END,
            )


@RULES.rule(
    "VU-OBS-05",
    Severity.WARNING,
    "a back-end calls a driver that has asked for it",
    f"{SPLIT_RINGS}, Used Buffer Notification Suppression",
    OBSERVED,
    remembers=_Reported,
)
def not_called(at: At[_Reported]) -> Findings:
    for ring, seen in looks(at):
        missed = seen.unnoticed >= _LONG and seen.call == 0 and not (seen.no_calls or seen.front_end_stopped)
        if _begins(at, ring.index, holds=missed and ring.started is Started.STARTED):
            yield at.finding(
                f"ring {ring.index}: the device has completed requests up to {seen.used}, the driver had asked to be "
                f"called, and for {time_text(seen.unnoticed)} neither is there a call nor has the driver noticed: the "
                "back-end did not signal, unless the guest is stopped",
                Blame.BACK_END,
            )


@RULES.rule(
    "VU-OBS-06",
    Severity.WARNING,
    "a ring contains only what a driver may put there",
    f"{SPLIT_RINGS}, The Virtqueue Descriptor Table",
    OBSERVED,
    remembers=_Reported,
)
def invalid_ring(at: At[_Reported]) -> Findings:
    for ring, seen in looks(at):
        # A driver that lets go of its device disables the ring, and may use the memory for something else.
        if _begins(at, ring.index, holds=bool(seen.fault) and ring.running):
            blame, why = _who_broke(ring, seen)
            yield at.finding(f"ring {ring.index}: {seen.fault}{why}", blame)


def _who_broke(ring: Ring, seen: Observation) -> tuple[Blame, str]:
    """Whose index jumped; if it is not an index, the driver wrote it."""
    before, size = ring.seen, ring.size or 0
    if seen.avail is None or seen.used is None:
        return Blame.FRONT_END, ": the guest's driver wrote this, and no back-end can use it"
    if before is None or before.avail is None or before.used is None:
        return Blame.UNKNOWN, f": avail is {seen.avail}, used {seen.used}"
    used = f"the used index went from {before.used} to {seen.used}"
    avail = f"the avail index went from {before.avail} to {seen.avail}"
    if (seen.used - before.used) % POSITIONS <= (before.pending or 0) + size:
        return Blame.FRONT_END, f": {avail}"
    if (seen.avail - before.avail) % POSITIONS <= size:
        return Blame.BACK_END, f": {used}"
    return Blame.UNKNOWN, f": {avail}, and {used}"


@RULES.rule(
    "VU-OBS-10",
    Severity.WARNING,
    "only requests that are not completed are marked in the in-flight memory",
    f"{SPEC}, Inflight I/O tracking",
    OBSERVED,
    remembers=_Reported,
)
def left_in_flight(at: At[_Reported]) -> Findings:
    for ring, seen in looks(at):
        if _begins(at, ring.index, holds=seen.left_over >= SECOND and ring.started is Started.STARTED):
            marked = f"{count_text(seen.in_flight or 0, 'request')} {'is' if seen.in_flight == 1 else 'are'}"
            what = f"ring {ring.index}: all requests are completed, but {marked} marked in the in-flight memory"
            if _has_worked(at.after, ring, seen):
                why = "the back-end does not clear what it has completed, and the next one processes it again"
                yield at.finding(f"{what}: {why}", Blame.BACK_END)
            else:
                why = "it was passed with marks of other requests, which the back-end processes"
                yield at.finding(f"{what}: {why}", Blame.FRONT_END)
