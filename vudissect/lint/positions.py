"""Positions of rings: a 16-bit index, or for each half of a packed position a 15-bit index and its wrap bit."""

from typing import NamedTuple

from vudissect.capture.observation import Observation
from vudissect.protocol.features import F_INDIRECT_DESC, F_RING_PACKED
from vudissect.rings.places import WRAP, place_text
from vudissect.session.rings import Ring
from vudissect.session.state import State

HALF = 0xFFFF
# The oldest pending descriptor may look as if it belonged to the request that was completed last.
_UNCERTAIN = 1


def is_packed(state: State) -> bool:
    """Whether rings are known to be packed."""
    return state.features.has(F_RING_PACKED)


def halves(position: int) -> tuple[int, int]:
    """The available and the used entry that a packed position names."""
    return position & HALF, position >> 16


def position_text(state: State, position: int) -> str:
    """`17`, or `avail 17 wrap 1 used 16 wrap 1`."""
    if not is_packed(state):
        return str(position)
    avail, used = map(place_text, halves(position))
    return f"avail {avail} used {used}"


def is_beginning(state: State, position: int) -> bool:
    """Whether this is where the ring of a newly started driver begins."""
    return position == 0 or (is_packed(state) and not any(half & ~WRAP for half in halves(position)))


class PackedPlaces(NamedTuple):
    """What was seen in a packed ring of a size. Both are halves of a packed position: an index and its wrap bit."""

    size: int
    driver: int
    """Where the driver makes the next descriptor available."""
    completed: int
    """Up to here at least the device has completed descriptors; it may be further, up to the driver."""

    def ahead(self, half: int, other: int) -> int:
        """How many descriptors one place is ahead of another, in the two laps after which the places begin again."""
        return (self._place(half) - self._place(other)) % (2 * self.size)

    def has(self, *halves: int) -> bool:
        """Whether these are places in the ring."""
        return all(half & ~WRAP < self.size for half in halves)

    def behind(self, half: int) -> int:
        """By how many descriptors a place is behind what is completed; 0 if it is not, or that is not certain."""
        behind = self.ahead(self.completed, half)
        return behind if _UNCERTAIN < behind <= self.size else 0

    def may_be_next(self, half: int) -> bool:
        """Whether the device may have come to a place: between what is completed and the driver."""
        return self.ahead(self.driver, half) <= self.ahead(self.driver, self.completed) + _UNCERTAIN

    @property
    def is_new(self) -> bool:
        """Whether nothing seems to have happened in the ring."""
        return self.driver == self.completed == WRAP

    def _place(self, half: int) -> int:
        return (half & ~WRAP) + (0 if half & WRAP else self.size)


def packed_places(state: State, ring: Ring, seen: Observation) -> PackedPlaces | None:
    """The places in a packed ring; None if they are unknown, or uncertain.

    Without tables, the rest of a completed request cannot always be told from a request that is pending.
    """
    size, driver, pending = ring.size or 0, seen.avail, seen.pending
    if driver is None or pending is None or not (is_packed(state) and state.features.has(F_INDIRECT_DESC)):
        return None
    if not driver & ~WRAP < size <= WRAP or pending > size:
        return None
    completed = ((driver & ~WRAP) + (0 if driver & WRAP else size) - pending) % (2 * size)
    return PackedPlaces(size, driver, completed | WRAP if completed < size else completed - size)
