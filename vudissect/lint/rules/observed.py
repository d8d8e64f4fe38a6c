"""VU-OBS: what was seen in the rings. These rules know what the others can only suspect."""

from collections.abc import Iterator
from dataclasses import field

from vudissect.capture.observation import Observation, observation_of
from vudissect.capture.record import RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.positions import WRAP, halves, is_packed
from vudissect.lint.rule import SPEC, Findings, RuleBook, events, replies, requests
from vudissect.lint.words import SECOND, count_text, time_text
from vudissect.protocol.features import F_EVENT_IDX
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Enabled, Ring, Started
from vudissect.session.stalls import suppression_text, waits_for_device
from vudissect.session.state import State

RULES = RuleBook()

_SPLIT = "virtio specification, Split Virtqueues"
_OBSERVED = events(RecordKind.RING_OBSERVED)
_WRAP = 0x10000
# A request may take long on a slow disk, and a guest may not run for a while.
_LONG = 5 * SECOND
_MOST_RINGS = 1024
_NEVER = 1 << 63
# A ring that may have completed more requests than this since it was seen may have gone around.
_FEW = 4096


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
    if ring in reported or len(reported) >= _MOST_RINGS:
        return False
    reported.add(ring)
    return True


def _seen(at: At) -> Iterator[tuple[Ring, Observation]]:
    """The ring that was looked into, as it was before, if it is known, and what was seen."""
    seen = observation_of(at.event.record.details)
    ring = at.before.rings.get(seen.ring) if seen is not None else None
    if seen is not None and ring is not None:
        yield ring, seen


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
    f"{SPEC}, Ring states; {_SPLIT}, Available Buffer Notification",
    _OBSERVED,
    remembers=_Reported,
)
def kick_not_read(at: At[_Reported]) -> Findings:
    for ring, seen in _seen(at):
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
        return seen.used != ring.base % _WRAP
    oldest = ((seen.avail & ~WRAP) - (seen.pending or 0)) % ring.size
    return oldest != halves(ring.base)[1] & ~WRAP


@RULES.rule(
    "VU-OBS-02",
    Severity.WARNING,
    "a back-end completes the requests that it has taken",
    f"{_SPLIT}, Supplying Buffers to The Device",
    _OBSERVED,
    remembers=_Reported,
)
def request_not_completed(at: At[_Reported]) -> Findings:
    for ring, seen in _seen(at):
        noticed = seen.kick == 0 or (seen.no_kicks and seen.kick is not None)
        stuck = seen.waited >= _LONG and noticed and not seen.back_end_stopped
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
    if seen.no_kicks or ring.base is None or seen.used != ring.base % _WRAP:
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
    _OBSERVED,
    remembers=_Reported,
)
def waiting_in_disabled_ring(at: At[_Reported]) -> Findings:
    for ring, seen in _seen(at):
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
    f"{_SPLIT}, Used Buffer Notification Suppression",
    _OBSERVED,
    remembers=_Reported,
)
def call_not_read(at: At[_Reported]) -> Findings:
    for ring, seen in _seen(at):
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
    f"{_SPLIT}, Used Buffer Notification Suppression",
    _OBSERVED,
    remembers=_Reported,
)
def not_called(at: At[_Reported]) -> Findings:
    for ring, seen in _seen(at):
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
    f"{_SPLIT}, The Virtqueue Descriptor Table",
    _OBSERVED,
    remembers=_Reported,
)
def invalid_ring(at: At[_Reported]) -> Findings:
    for ring, seen in _seen(at):
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
    if (seen.used - before.used) % _WRAP <= (before.pending or 0) + size:
        return Blame.FRONT_END, f": {avail}"
    if (seen.avail - before.avail) % _WRAP <= size:
        return Blame.BACK_END, f": {used}"
    return Blame.UNKNOWN, f": {avail}, and {used}"


@memory
class _Stops:
    """When (ns) rings were last stopped, those not compared yet, by index."""

    times: dict[int, int] = field(default_factory=dict)


@RULES.rule(
    "VU-OBS-07",
    Severity.WARNING,
    "a back-end stops a ring where it has completed all that it took",
    f"{SPEC}, VHOST_USER_GET_VRING_BASE; {_SPLIT}",
    replies(Purpose.STOP_RING) | _OBSERVED,
    remembers=_Stops,
)
def stopped_with_requests(at: At[_Stops]) -> Findings:
    stops = at.memory.times
    if at.event.message is not None:
        if "index" in at.fields and len(stops) < _MOST_RINGS:
            stops[at.fields["index"]] = at.time
        return
    for ring, seen in _seen(at):
        if ring.stopped_at is None or (seen.time or at.time) < stops.get(ring.index, _NEVER):
            continue
        del stops[ring.index]
        if ring.started is Started.STARTED or seen.used is None or seen.avail is None:
            continue
        position = ring.stopped_at % _WRAP
        taken, left = (position - seen.used) % _WRAP, (seen.avail - position) % _WRAP
        lost, why = taken, "there is no in-flight memory to find them in"
        if at.after.inflight is not None:
            lost = taken - (seen.in_flight if seen.in_flight is not None else taken)
            why = f"the in-flight memory has only {seen.in_flight} of {taken}"
        # A guest may use the memory for other things as soon as the ring is stopped.
        if lost > 0 and taken + left <= (ring.size or 0):
            yield at.finding(
                f"ring {ring.index} stopped at {position}, but only requests up to {seen.used} are completed: "
                f"{count_text(lost, 'request')} will never be, as {why}",
                Blame.BACK_END,
                frames=(ring.stopped_in,),
            )


@memory
class _Courses:
    """The frame of the last message that resets the device; for each ring, how many requests a second it completes."""

    reset_in: int = 0
    speeds: dict[int, int] = field(default_factory=dict)

    def see(self, at: At) -> None:
        """Note how quick a ring was between the last two looks."""
        for ring, seen in _seen(at):
            before = ring.seen
            if before is not None and before.used is not None and seen.used is not None and ring.index < _MOST_RINGS:
                moved, duration = (seen.used - before.used) % _WRAP, max(1, seen.time - before.time)
                self.speeds[ring.index] = moved * SECOND // duration


@RULES.rule(
    "VU-OBS-09",
    Severity.WARNING,
    "a back-end that stops a ring is not ahead of the position that it returns",
    f"{SPEC}, VHOST_USER_GET_VRING_BASE; {_SPLIT}",
    replies(Purpose.STOP_RING) | requests(Purpose.RESET, Purpose.DISABLE_RINGS, Purpose.SET_STATUS) | _OBSERVED,
    remembers=_Courses,
)
def stopped_behind(at: At[_Courses]) -> Findings:
    if at.event.message is None:
        at.memory.see(at)
        return
    if not at.message.reply:
        if at.message.row.purpose is not Purpose.SET_STATUS or not at.after.status:
            at.memory.reset_in = at.frame
        return
    ring = at.before.rings.get(at.fields.get("index", -1))
    seen = ring.seen if ring is not None else None
    # After a reset the position may be 0 again.
    if ring is None or seen is None or seen.used is None or max(ring.runs_since, at.memory.reset_in) > ring.seen_in:
        return
    position = at.fields["num"] % _WRAP
    behind = (seen.used - position) % _WRAP
    # Positions begin again after 65535, so one that is far behind may be far ahead.
    returns = behind <= (ring.size or 0) or position == (ring.base or 0) % _WRAP
    since_seen = at.memory.speeds.get(ring.index, 0) * (at.time - seen.time) // SECOND
    if behind and returns and since_seen < _FEW and not is_packed(at.after):
        yield at.finding(
            f"ring {ring.index} stopped at {position}, but requests up to {seen.used} had been completed (#"
            f"{ring.seen_in}): who goes on from there processes {count_text(behind, 'request')} again",
            Blame.BACK_END,
            frames=(ring.seen_in,),
        )


@memory
class _Starts:
    """The frames in which the addresses were set of rings whose positions were compared, by index."""

    frames: dict[int, int] = field(default_factory=dict)


@RULES.rule(
    "VU-OBS-08",
    Severity.WARNING,
    "a ring begins where the last back-end left it",
    f"{SPEC}, VHOST_USER_SET_VRING_BASE; {_SPLIT}",
    _OBSERVED,
    remembers=_Starts,
)
def begins_elsewhere(at: At[_Starts]) -> Findings:
    compared = at.memory.frames
    for ring, seen in _seen(at):
        addresses, base = ring.addresses, ring.base
        if addresses is None or base is None or seen.used is None or compared.get(ring.index) == addresses.frame:
            continue
        if len(compared) < _MOST_RINGS:
            compared[ring.index] = addresses.frame
        # What is recorded before the start was seen before it.
        if ring.started is Started.STARTED or ring.stopped_in > addresses.frame or at.after.inflight is not None:
            continue
        position = base % _WRAP
        if position != seen.used:
            skipped = (position - seen.used) % _WRAP <= (ring.size or 0)
            yield at.finding(
                f"ring {ring.index} begins at {position}, but the last completed position in it is {seen.used}: the "
                f"requests between them are {'never processed' if skipped else 'processed twice'}",
                Blame.FRONT_END,
                frames=(addresses.frame,),
            )


@RULES.rule(
    "VU-OBS-10",
    Severity.WARNING,
    "only requests that are not completed are marked in the in-flight memory",
    f"{SPEC}, Inflight I/O tracking",
    _OBSERVED,
    remembers=_Reported,
)
def left_in_flight(at: At[_Reported]) -> Findings:
    for ring, seen in _seen(at):
        if _begins(at, ring.index, holds=seen.left_over >= SECOND and ring.started is Started.STARTED):
            marked = f"{count_text(seen.in_flight or 0, 'request')} {'is' if seen.in_flight == 1 else 'are'}"
            what = f"ring {ring.index}: all requests are completed, but {marked} marked in the in-flight memory"
            if _has_worked(at.after, ring, seen):
                why = "the back-end does not clear what it has completed, and the next one processes it again"
                yield at.finding(f"{what}: {why}", Blame.BACK_END)
            else:
                why = "it was passed with marks of other requests, which the back-end processes"
                yield at.finding(f"{what}: {why}", Blame.FRONT_END)
