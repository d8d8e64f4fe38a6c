"""VU-OBS-07 to 09: where a ring starts and stops, beside the positions that were seen in it.

A packed ring has no index of the device in memory: `packed_places` has what is certain of it.
"""

from dataclasses import field

from vudissect.capture.observation import Observation
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.looks import MOST_RINGS, OBSERVED, POSITIONS, SPLIT_RINGS, Misplaced, looks
from vudissect.lint.memory import memory
from vudissect.lint.positions import PackedPlaces, halves, is_packed, packed_places, position_text
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, replies, requests
from vudissect.lint.words import SECOND, count_text
from vudissect.protocol.purpose import Purpose
from vudissect.rings.places import place_text
from vudissect.session.rings import Ring, Started
from vudissect.session.state import State

RULES = RuleBook()

_RINGS = f"{SPLIT_RINGS} and Packed Virtqueues"
_NEVER = 1 << 63
# A ring that may have completed more requests than this since it was seen may have gone around.
_FEW = 4096


@memory
class _Stops:
    """When (ns) rings were last stopped, those not compared yet, by index."""

    times: dict[int, int] = field(default_factory=dict)


@RULES.rule(
    "VU-OBS-07",
    Severity.WARNING,
    "a back-end stops a ring where it has completed all that it took",
    f"{SPEC}, VHOST_USER_GET_VRING_BASE; {_RINGS}",
    replies(Purpose.STOP_RING) | OBSERVED,
    remembers=_Stops,
)
def stopped_with_requests(at: At[_Stops]) -> Findings:
    stops = at.memory.times
    if at.event.message is not None:
        if "index" in at.fields and len(stops) < MOST_RINGS:
            stops[at.fields["index"]] = at.time
        return
    for ring, seen in looks(at):
        if ring.stopped_at is None or (seen.time or at.time) < stops.get(ring.index, _NEVER):
            continue
        del stops[ring.index]
        if ring.started is Started.STARTED:
            continue
        if is_packed(at.after):
            yield from _stopped_with_descriptors(at, ring, seen)
            continue
        if seen.used is None or seen.avail is None:
            continue
        position = ring.stopped_at % POSITIONS
        taken, left = (position - seen.used) % POSITIONS, (seen.avail - position) % POSITIONS
        lost, why = _lost(at, seen, taken)
        # A guest may use the memory for other things as soon as the ring is stopped.
        if lost > 0 and taken + left <= (ring.size or 0):
            yield at.finding(
                f"ring {ring.index} stopped at {position}, but only requests up to {seen.used} are completed: "
                f"{count_text(lost, 'request')} will never be, as {why}",
                Blame.BACK_END,
                frames=(ring.stopped_in,),
            )


def _lost(at: At, seen: Observation, taken: int) -> tuple[int, str]:
    """How much of what was taken and not completed will never be, and why."""
    if at.after.inflight is None:
        return taken, "there is no in-flight memory to find them in"
    found = seen.in_flight if seen.in_flight is not None else taken
    return taken - found, f"the in-flight memory has only {found} of {taken}"


def _stopped_with_descriptors(at: At, ring: Ring, seen: Observation) -> Findings:
    """The answer has both places: where the device takes the next descriptor, and where it puts the next one."""
    avail, used = halves(ring.stopped_at or 0)
    places = packed_places(at.after, ring, seen)
    # Some report only the first.
    if places is None or not used or not places.has(avail, used):
        return
    taken = places.ahead(avail, used)
    lost, why = _lost(at, seen, taken)
    if lost > 0 and taken + places.ahead(places.driver, avail) <= places.size and not places.behind(used):
        yield at.finding(
            f"ring {ring.index} stopped at {position_text(at.after, ring.stopped_at or 0)}: "
            f"{count_text(lost, 'descriptor')} will never be completed, as {why}",
            Blame.BACK_END,
            frames=(ring.stopped_in,),
        )


@memory
class _Courses:
    """The frame of the last message that resets the device, and for each ring what the last looks have shown.

    `looks` has the position (requests) and the time (ns) of the last one, `speeds` the requests a second before it.
    `answers` has the times (ns) of answers that report where packed rings have stopped, those not compared yet.
    """

    reset_in: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    looks: dict[int, tuple[int, int]] = field(default_factory=dict)
    speeds: dict[int, int] = field(default_factory=dict)

    def see(self, at: At) -> None:
        """Note where a ring is, and how quick it was since the last look."""
        for ring, seen in looks(at):
            if seen.used is None or ring.index >= MOST_RINGS:
                continue
            time = seen.time or at.time
            if ring.index in self.looks:
                used, earlier = self.looks[ring.index]
                moved = (seen.used - used) % POSITIONS
                self.speeds[ring.index] = moved * SECOND // max(1, time - earlier)
            self.looks[ring.index] = seen.used, time

    def may_have_gone_around(self, ring: int, now: int) -> bool:
        """Whether a ring may be far beyond the position that was seen last."""
        _, time = self.looks.get(ring, (0, now))
        return self.speeds.get(ring, 0) * (now - time) // SECOND >= _FEW


@RULES.rule(
    "VU-OBS-09",
    Severity.WARNING,
    "a back-end that stops a ring is not ahead of the position that it returns",
    f"{SPEC}, VHOST_USER_GET_VRING_BASE; {_RINGS}",
    replies(Purpose.STOP_RING) | requests(Purpose.RESET, Purpose.DISABLE_RINGS, Purpose.SET_STATUS) | OBSERVED,
    remembers=_Courses,
)
def stopped_behind(at: At[_Courses]) -> Findings:
    if at.event.message is None:
        at.memory.see(at)
        yield from _packed_behind(at)
        return
    if not at.message.reply:
        if at.message.row.purpose is not Purpose.SET_STATUS or not at.after.status:
            at.memory.reset_in = at.frame
        return
    ring = at.before.rings.get(at.fields.get("index", -1))
    if is_packed(at.after):
        if ring is not None and len(at.memory.answers) < MOST_RINGS:
            at.memory.answers[ring.index] = at.time
        return
    seen = ring.seen if ring is not None else None
    # After a reset the position may be 0 again.
    if ring is None or seen is None or seen.used is None or max(ring.runs_since, at.memory.reset_in) > ring.seen_in:
        return
    position = at.fields["num"] % POSITIONS
    behind = (seen.used - position) % POSITIONS
    # Positions begin again after 65535, so one that is far behind may be far ahead.
    returns = behind <= (ring.size or 0) or position == (ring.base or 0) % POSITIONS
    if behind and returns and not at.memory.may_have_gone_around(ring.index, at.time):
        yield at.finding(
            f"ring {ring.index} stopped at {position}, but requests up to {seen.used} had been completed (#"
            f"{ring.seen_in}): who goes on from there processes {count_text(behind, 'request')} again",
            Blame.BACK_END,
            frames=(ring.seen_in,),
        )


def _packed_behind(at: At[_Courses]) -> Findings:
    """Places begin again after two laps: only a ring that has not gone on since it ran is compared."""
    for ring, seen in looks(at):
        if (seen.time or at.time) < at.memory.answers.get(ring.index, _NEVER):
            continue
        del at.memory.answers[ring.index]
        places, before = packed_places(at.after, ring, seen), ring.seen
        if places is None or before is None or ring.stopped_at is None or ring.started is Started.STARTED:
            continue
        stood_still = (before.avail, before.pending) == (seen.avail, seen.pending)
        if not stood_still or max(ring.runs_since, at.memory.reset_in) > ring.seen_in:
            continue
        avail, used = halves(ring.stopped_at)
        behind = max(places.behind(half) for half in (avail, used or avail))
        if behind and places.has(avail, used):
            yield at.finding(
                f"ring {ring.index} stopped at {position_text(at.after, ring.stopped_at)}, but descriptors up to "
                f"{place_text(places.completed)} had been completed (#{ring.seen_in}): who goes on from there waits "
                f"for one of {count_text(behind, 'descriptor')} that nobody makes available again",
                Blame.BACK_END,
                frames=(ring.seen_in,),
            )


@memory
class _Starts:
    """The frames in which the addresses were set of rings whose positions were compared, by index."""

    frames: dict[int, int] = field(default_factory=dict)


# A ring is recognised on the next connection by its device, index, size and addresses.
_Key = tuple[str, int, int, int, int, int]


@memory
class _Left:
    """What was seen last in the packed rings of connections that are closed."""

    rings: dict[_Key, PackedPlaces] = field(default_factory=dict)

    def see(self, state: State) -> None:
        """Note those of a connection that is closed."""
        for ring in state.rings.values():
            key = _key(state, ring)
            places = packed_places(state, ring, ring.seen) if ring.seen is not None else None
            if key is not None and places is not None and (key in self.rings or len(self.rings) < MOST_RINGS):
                self.rings[key] = places


def _key(state: State, ring: Ring) -> _Key | None:
    where = ring.addresses
    return (state.device_id, ring.index, ring.size or 0, where.desc, where.avail, where.used) if where else None


@RULES.rule(
    "VU-OBS-08",
    Severity.WARNING,
    "a ring begins where the last back-end left it",
    f"{SPEC}, VHOST_USER_SET_VRING_BASE; {_RINGS}",
    OBSERVED | ending(),
    remembers=_Starts,
)
def begins_elsewhere(at: At[_Starts]) -> Findings:
    if at.over:
        at.lasting(_Left).see(at.after)
        return
    compared = at.memory.frames
    for ring, seen in looks(at):
        addresses, base = ring.addresses, ring.base
        if addresses is None or base is None or compared.get(ring.index) == addresses.frame:
            continue
        places = packed_places(at.after, ring, seen)
        if seen.used is None and places is None:
            continue
        if len(compared) < MOST_RINGS:
            compared[ring.index] = addresses.frame
        # What is recorded before the start was seen before it.
        was_started = ring.started is Started.STARTED or ring.stopped_in > addresses.frame
        if at.after.inflight is not None or (was_started and not _stands_still(at, ring, places)):
            continue
        if places is not None:
            yield from _begins_elsewhere_in_packed(at, ring, base, places)
            continue
        position = base % POSITIONS
        if seen.used is not None and position != seen.used:
            skipped = (position - seen.used) % POSITIONS <= (ring.size or 0)
            yield at.finding(
                f"ring {ring.index} begins at {position}, but the last completed position in it is {seen.used}: the "
                f"requests between them are {'never processed' if skipped else 'processed twice'}",
                Blame.FRONT_END,
                frames=(addresses.frame,),
            )


def _stands_still(at: At, ring: Ring, places: PackedPlaces | None) -> bool:
    """Whether nothing was completed in a packed ring since it was seen at rest: stopped, or without a back-end."""
    if places is None or ring.addresses is None:
        return False
    left: PackedPlaces | None = None
    if ring.seen is not None and 0 < ring.stopped_in < ring.seen_in < ring.addresses.frame:
        left = packed_places(at.after, ring, ring.seen)
    elif not ring.stopped_in and (key := _key(at.after, ring)) is not None:
        left = at.lasting(_Left).rings.get(key)
    return left is not None and left.completed == places.completed


def _begins_elsewhere_in_packed(at: At, ring: Ring, base: int, places: PackedPlaces) -> Findings:
    avail, used = halves(base)
    if not base and places.is_new:
        return  # VU-VRG-24 is about this
    is_misplaced = places.has(avail, used) and not all(map(places.may_be_next, (avail, used or avail)))
    at.lasting(Misplaced).note(at, ring.index, is_misplaced=is_misplaced)
    if is_misplaced:
        yield at.finding(
            f"ring {ring.index} begins at {position_text(at.after, base)}, but the driver is at "
            f"{place_text(places.driver)}, and descriptors up to {place_text(places.completed)} are completed: the "
            "back-end waits for one that nobody makes available",
            Blame.FRONT_END,
            frames=(ring.addresses.frame if ring.addresses else 0,),
        )
