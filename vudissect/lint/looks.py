"""Looks into rings, as the rules see them."""

from collections.abc import Iterator
from dataclasses import field

from vudissect.capture.observation import Observation, observation_of
from vudissect.capture.record import RecordKind
from vudissect.lint.at import At
from vudissect.lint.memory import memory
from vudissect.lint.rule import events
from vudissect.session.rings import Ring

SPLIT_RINGS = "virtio specification, Split Virtqueues"
OBSERVED = events(RecordKind.RING_OBSERVED)
POSITIONS = 0x10000
"""How many positions a split ring has before they begin again."""
MOST_RINGS = 1024
"""More rings than any device has are not remembered."""


@memory
class Misplaced:
    """The rings, each with the number of its connection, that begin where their back-end waits for ever."""

    rings: set[tuple[int, int]] = field(default_factory=set)

    def note(self, at: At, ring: int, *, is_misplaced: bool) -> None:
        """Note how a ring begins on the connection of an event."""
        key = at.after.number, ring
        if not is_misplaced:
            self.rings.discard(key)
        elif len(self.rings) < MOST_RINGS:
            self.rings.add(key)


def looks(at: At) -> Iterator[tuple[Ring, Observation]]:
    """The ring that was looked into, as it was before, if it is known, and what was seen."""
    seen = observation_of(at.event.record.details)
    ring = at.before.rings.get(seen.ring) if seen is not None else None
    if seen is not None and ring is not None:
        yield ring, seen
