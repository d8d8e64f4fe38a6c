"""What is remembered of a ring between two looks: since when things are as they are, and what was recorded."""

from dataclasses import dataclass
from typing import NamedTuple

from vudissect.capture.observation import Observation
from vudissect.rings.look import Look

_WRAP = 0x10000
_SECOND = 1_000_000_000
# A duration that grows is worth another record at these points (s), and at every multiple of the last.
_STEPS = (1, 2, 5, 10, 30, 60)


class Passed(NamedTuple):
    """The driver wants to be called, from position `call_at` on if it uses event indices, and the device has passed it.

    `since` then (ns) the driver has neither moved that position nor made a request available.
    """

    call_at: int | None
    avail: int
    since: int


class Calls(NamedTuple):
    """The call descriptor by name, and the used index when it was first seen in the ring.

    `are_read`: requests were completed since, and no call for them was left, so that somebody reads it. Nobody reads
    the descriptor that a front-end passes while an interrupt is masked, and that is another one.
    """

    descriptor: str
    began: int | None
    are_read: bool = False


class Unread(NamedTuple):
    """The counter of an event descriptor that is above 0, and since when (ns) at least nobody has read it."""

    counter: int
    since: int


@dataclass(slots=True)
class History:
    """What is remembered of a ring: since when (ns) things are as they are, and what was last recorded of it.

    It begins when the addresses are set (in a frame), with the position from which the device goes on.
    """

    begins: int
    used: int | None
    avail: int | None = None
    pending_since: int | None = None
    kick: Unread | None = None
    call: Unread | None = None
    passed: Passed | None = None
    left_over_since: int | None = None
    calls: Calls | None = None
    recorded: Observation | None = None


def count(history: History, kick: int | None, call: int | None, now: int, seen: Look | None = None) -> None:
    """Note the counters of the two descriptors, and the ring as it was `seen` at the same time, before `advance`."""
    history.kick = _unread(history.kick, kick, now, works=seen is not None and _position(seen) != history.used)
    history.call = _unread(history.call, call, now, works=seen is not None and seen.avail != history.avail)


def _unread(before: Unread | None, counter: int | None, now: int, *, works: bool) -> Unread | None:
    """Since when a counter is above 0; if its reader works and it is not higher, it was read and written again."""
    if not counter:
        return None
    if before is None or counter < before.counter or (works and counter == before.counter):
        return Unread(counter, now)
    return Unread(counter, before.since)


def _position(seen: Look) -> int:
    """Something that changes when the device completes a request."""
    return seen.used if seen.used is not None else seen.avail - seen.pending


def advance(
    history: History,
    seen: Look,
    descriptor: str,
    counter: int | None,
    in_flight: int | None,
    now: int,
    *,
    calls_at_0: bool,
) -> None:
    """Note what has changed in a ring, or since when it has not.

    `descriptor` and `counter` are those of the calls; `in_flight` is how many requests are marked as such.
    """
    position = _position(seen)
    moved = position != history.used
    if not seen.pending:
        history.pending_since = None
    elif moved or history.pending_since is None:
        history.pending_since = now
    history.calls = _calls(history.calls, seen, descriptor, counter)
    if seen.call_at is None:
        unread = bool(counter) and history.calls.are_read and not seen.no_calls
        history.passed = _not_called(history.passed, seen, now) if unread else None
    else:
        history.passed = _passed(history, seen, now) if seen.call_at or calls_at_0 else None
    still = not moved and seen.avail == history.avail and history.left_over_since is not None
    # Of a ring that goes on it cannot be known: it may be about to be marked, or to be cleared.
    history.left_over_since = (history.left_over_since if still else now) if in_flight and not seen.pending else None
    history.used, history.avail = position, seen.avail


def _passed(history: History, seen: Look, now: int) -> Passed | None:
    """Whether the device has passed the position from which the driver wants a call, and that position has not moved.

    A driver that was called looks at the ring and then moves it, or polls and goes on making requests available.
    """
    call_at, used, before = seen.call_at, seen.used, history.used
    if call_at is None or used is None or before is None:
        return None
    passed = history.passed
    if passed is not None and passed.call_at == call_at:
        return passed if passed.avail == seen.avail else Passed(call_at, seen.avail, now)
    crossed = (used - call_at - 1) % _WRAP < (used - before) % _WRAP
    return Passed(call_at, seen.avail, now) if crossed else None


def _calls(before: Calls | None, seen: Look, descriptor: str, counter: int | None) -> Calls:
    if before is None or before.descriptor != descriptor:
        return Calls(descriptor, seen.used)
    were_read = counter == 0 and not seen.no_calls and seen.used != before.began
    return before._replace(are_read=True) if were_read else before


def _not_called(before: Passed | None, seen: Look, now: int) -> Passed:
    """A call is not read: since when the driver has not moved, either. One that polls goes on making requests."""
    return before if before is not None and before.avail == seen.avail else Passed(None, seen.avail, now)


def is_news(before: Observation | None, after: Observation) -> bool:
    """Whether an observation has to be recorded: something changed, or lasts much longer than at the last record."""
    if before is None:
        return True
    still = after._replace(**{name: getattr(before, name) for name in _TIMES})
    return still != before or any(_step(getattr(after, name)) != _step(getattr(before, name)) for name in _DURATIONS)


_DURATIONS = ("waited", "kick_unread", "call_unread", "unnoticed", "left_over")
_TIMES = ("time", *_DURATIONS)


def _step(duration: int) -> int:
    seconds = duration // _SECOND
    if seconds >= _STEPS[-1]:
        return len(_STEPS) + seconds // _STEPS[-1]
    return sum(seconds >= step for step in _STEPS)
