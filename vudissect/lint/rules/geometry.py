"""VU-VRG-23: whether the parts of rings overlap."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import field
from itertools import pairwise
from typing import NamedTuple

from vudissect.lint.at import At
from vudissect.lint.finding import Severity
from vudissect.lint.memory import memory
from vudissect.lint.ring_layout import MOST_ENTRIES, parts_of
from vudissect.lint.rule import Findings, RuleBook, requests
from vudissect.lint.runs import ring_of
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Addresses, Started
from vudissect.session.state import State

RULES = RuleBook()


class _Part(NamedTuple):
    """A part of a ring: the bytes from `start` up to `end`."""

    start: int
    end: int
    name: str
    ring: int


@memory
class _Parts:
    """The parts of the started rings in the order of their addresses, and the parts of each ring."""

    in_order: list[_Part] = field(default_factory=list)
    of_ring: dict[int, tuple[_Part, ...]] = field(default_factory=dict)

    def put(self, index: int, parts: tuple[_Part, ...]) -> None:
        """Replace the parts of a ring."""
        for part in self.of_ring.get(index, ()):
            del self.in_order[bisect_left(self.in_order, part)]
        self.of_ring[index] = parts
        for part in parts:
            insort(self.in_order, part)

    def neighbours(self, part: _Part) -> Iterator[_Part]:
        """The parts that begin just before and just after this one."""
        place = bisect_left(self.in_order, part)
        yield from self.in_order[max(place - 1, 0) : place]
        yield from self.in_order[place + 1 : place + 2]


@RULES.rule(
    "VU-VRG-23",
    Severity.ERROR,
    "the parts of rings do not overlap at the given size",
    "virtio specification, Virtqueues; cloud-hypervisor f94a5fb4e",
    requests(Purpose.SET_KICK),
    remembers=_Parts,
)
def ring_geometry(at: At[_Parts]) -> Findings:
    ring = ring_of(at)
    if ring is None or not ring.size or ring.size > MOST_ENTRIES or ring.addresses is None:
        return
    if at.after.features.acked is None:
        return
    parts = tuple(sorted(_parts(at.after, ring.index, ring.addresses, ring.size)))
    at.memory.put(ring.index, parts)
    if any(one.end > other.start for one, other in pairwise(parts)):
        yield from _overlaps_itself(at, ring.addresses, ring.size, parts)
        return
    for part in parts:
        for other in at.memory.neighbours(part):
            of = at.after.rings.get(other.ring)
            apart = part.end <= other.start or other.end <= part.start
            if not apart and of is not None and of is not ring and of.started is Started.STARTED:
                yield at.finding(
                    f"{part.name} of ring {ring.index} ({part.start:#x} to {part.end:#x}) overlaps {other.name} of "
                    f"ring {of.index} ({other.start:#x} to {other.end:#x}): a write to one corrupts the other",
                    frames=(of.slots[Purpose.SET_KICK].frame,),
                )
                return


def _parts(state: State, index: int, addresses: Addresses, entries: int) -> Iterator[_Part]:
    for name, (start, size) in parts_of(state, addresses, entries).items():
        yield _Part(start, start + size, name, index)


def _overlaps_itself(at: At, addresses: Addresses, entries: int, parts: tuple[_Part, ...]) -> Findings:
    one, other = next(pair for pair in pairwise(parts) if pair[0].end > pair[1].start)
    fitting = [size for size in _smaller(entries) if _fits(at.after, addresses, size)]
    hint = ""
    if fitting:
        hint = f"; the addresses fit a ring of {fitting[0]}: the driver may use fewer entries than the device offers"
    yield at.finding(
        f"with {entries} entries, {one.name} of ring {one.ring} ({one.start:#x} to {one.end:#x}) overlaps "
        f"{other.name} at {other.start:#x}{hint}",
        frames=(addresses.frame,),
    )


def _smaller(size: int) -> Iterator[int]:
    """The powers of two below a size, largest first."""
    power = 1 << (size - 1).bit_length() - 1
    while power and size > 1:
        yield power
        power >>= 1


def _fits(state: State, addresses: Addresses, entries: int) -> bool:
    spans = sorted((start, start + length) for start, length in parts_of(state, addresses, entries).values())
    return all(one[1] <= other[0] for one, other in pairwise(spans))
