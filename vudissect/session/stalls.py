"""What stalls in the rings, as a recorder saw them: the first request that was not completed, and who has the ball."""

from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from vudissect.capture.observation import Observation
from vudissect.protocol.devices import is_filled_beforehand
from vudissect.protocol.features import F_EVENT_IDX, F_RING_PACKED
from vudissect.session.rings import Ring, Started
from vudissect.session.state import State

LONG: Final = 1_000_000_000
"""What lasts as long as this (ns) does not go on; a busy ring waits for less all the time."""


class Holder(Enum):
    """Whose turn it is."""

    FRONT_END = "front-end"
    BACK_END = "back-end"
    GUEST = "guest or the front-end"


class Stall(NamedTuple):
    """What does not go on in a ring, in words, and whose turn it is.

    `since` is in ns, on the clock of the recording machine; `frame` is that of the observation.
    """

    ring: int
    what: str
    since: int
    holder: Holder
    why: str
    frame: int


def stall_of(state: State) -> Stall | None:
    """What has not gone on for longest, and for a second at least, by what was last seen of the rings."""
    found = [stall for ring in state.rings.values() for stall in _stalls(state, ring)]
    return min(found, key=lambda stall: stall.since, default=None)


def stall_in(state: State, ring: Ring) -> Stall | None:
    """The same of one ring."""
    return next(_stalls(state, ring), None)


def waits_for_device(state: State, seen: Observation) -> bool:
    """Whether requests are pending that the device has to complete."""
    device = state.guess.device
    if not seen.pending or device is None:
        return False
    return not is_filled_beforehand(device, seen.ring, len(state.rings))


def suppression_text(state: State) -> str:
    """How a device that wants no kicks expresses that."""
    # In a packed ring that one wants none at all is in the flags, with event indices as well.
    by_index = state.features.has(F_EVENT_IDX) and not state.features.has(F_RING_PACKED)
    return "by its event index" if by_index else "by its flags"


def _stalls(state: State, ring: Ring) -> Iterator[Stall]:
    seen = ring.seen
    if seen is None or ring.started is not Started.STARTED:
        return
    if seen.waited >= LONG and waits_for_device(state, seen):
        what = seen.request or f"{seen.pending} pending requests"
        yield Stall(ring.index, what, seen.time - seen.waited, *_who_has_it(state, ring, seen), ring.seen_in)
    elif seen.unnoticed >= LONG and not seen.no_calls:
        what = f"the completion of the requests up to {seen.used}"
        yield Stall(ring.index, what, seen.time - seen.unnoticed, *_who_misses_it(seen), ring.seen_in)


def _who_has_it(state: State, ring: Ring, seen: Observation) -> tuple[Holder, str]:
    if not ring.running:
        return Holder.FRONT_END, "the ring is not enabled"
    if seen.back_end_stopped:
        return Holder.BACK_END, "its process is stopped"
    if seen.no_kicks:
        return Holder.BACK_END, f"it asks for no kicks {suppression_text(state)}, so it has to look by itself"
    if seen.kick:
        return Holder.BACK_END, "its kick is unread"
    return Holder.BACK_END, "no kick is waiting to be read"


def _who_misses_it(seen: Observation) -> tuple[Holder, str]:
    if seen.front_end_stopped:
        return Holder.FRONT_END, "its process is stopped"
    if seen.call:
        return Holder.FRONT_END, "its call is unread"
    if seen.call == 0:
        return Holder.BACK_END, "the driver asked for a call, and there is none"
    return Holder.GUEST, "the driver has not noticed it"
