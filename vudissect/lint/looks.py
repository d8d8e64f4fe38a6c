"""Looks into rings, as the rules see them."""

from collections.abc import Iterator

from vudissect.capture.observation import Observation, observation_of
from vudissect.capture.record import RecordKind
from vudissect.lint.at import At
from vudissect.lint.rule import events
from vudissect.session.rings import Ring

SPLIT_RINGS = "virtio specification, Split Virtqueues"
OBSERVED = events(RecordKind.RING_OBSERVED)
POSITIONS = 0x10000
"""How many positions a split ring has before they begin again."""
MOST_RINGS = 1024
"""More rings than any device has are not remembered."""


def looks(at: At) -> Iterator[tuple[Ring, Observation]]:
    """The ring that was looked into, as it was before, if it is known, and what was seen."""
    seen = observation_of(at.event.record.details)
    ring = at.before.rings.get(seen.ring) if seen is not None else None
    if seen is not None and ring is not None:
        yield ring, seen
