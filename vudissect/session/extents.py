"""Ranges of an address space, in order: which one contains an address, and which overlap."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar


class Extent(Protocol):
    """Something with a size that a frame has set. Its start depends on the address space."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    @property
    def frame(self) -> int:
        """The frame that set it."""


T = TypeVar("T", bound=Extent)


class Extents(Generic[T]):
    """Extents in the order of their starts; those with the same start in the order in which they were added."""

    __slots__ = ("_ends", "_extents", "_start", "_starts")

    def __init__(self, start: Callable[[T], int], extents: Iterable[T] = ()) -> None:
        self._start = start
        self._extents = sorted(extents, key=start)
        self._starts = [start(extent) for extent in self._extents]
        self._ends = [start(extent) + extent.size for extent in self._extents]

    def __len__(self) -> int:
        return len(self._extents)

    def __iter__(self) -> Iterator[T]:
        return iter(self._extents)

    @property
    def end(self) -> int:
        """The end of the last one; 0 if there are none."""
        return max(self._ends, default=0)

    def add(self, extent: T) -> None:
        """Add an extent."""
        start = self._start(extent)
        position = bisect_right(self._starts, start)
        self._extents.insert(position, extent)
        self._starts.insert(position, start)
        self._ends.insert(position, start + extent.size)

    def remove(self, extent: T) -> None:
        """Remove an extent."""
        position = self._position(extent)
        del self._extents[position], self._starts[position], self._ends[position]

    def plus(self, extent: T) -> "Extents[T]":
        """A copy with one more."""
        extents = self._copy()
        extents.add(extent)
        return extents

    def minus(self, extent: T) -> "Extents[T]":
        """A copy without one of them."""
        extents = self._copy()
        extents.remove(extent)
        return extents

    def _copy(self) -> "Extents[T]":
        extents = Extents(self._start)
        extents._extents, extents._starts, extents._ends = self._extents[:], self._starts[:], self._ends[:]
        return extents

    def at(self, address: int) -> T | None:
        """The extent that contains an address."""
        position = bisect_right(self._starts, address) - 1
        return self._extents[position] if position >= 0 and address < self._ends[position] else None

    def has(self, address: int, size: int) -> bool:
        """Whether the extent that contains an address also contains all `size` bytes from there on."""
        position = bisect_right(self._starts, address) - 1
        return position >= 0 and address < (end := self._ends[position]) and address + size <= end

    def from_start(self, start: int) -> Iterator[T]:
        """Those with this start."""
        for position in range(bisect_left(self._starts, start), bisect_right(self._starts, start)):
            yield self._extents[position]

    def within(self, start: int, end: int) -> Sequence[T]:
        """Those that overlap a range."""
        last = bisect_left(self._starts, end)
        if max(self._ends[:last], default=0) <= start:
            return ()
        return [self._extents[position] for position in range(last) if self._ends[position] > start]

    def overlap(self, new: Sequence[T]) -> tuple[T, T] | None:
        """The first two that overlap, at least one of them new; None if there are none. New ones are from one frame.

        A single new one is compared with its neighbours, several with all.
        """
        if len(new) == 1:
            return self._overlapping(new[0])
        lower: T | None = None
        for upper in self._extents if new else ():
            if not upper.size:
                continue
            if lower is not None and self._start(upper) < self._start(lower) + lower.size:
                if new[0].frame in (lower.frame, upper.frame):
                    return lower, upper
                if self._start(upper) + upper.size <= self._start(lower) + lower.size:
                    continue
            lower = upper
        return None

    def _overlapping(self, extent: T) -> tuple[T, T] | None:
        if not extent.size:
            return None
        position = self._position(extent)
        reached = max(self._ends[:position], default=0)
        if self._starts[position] < reached:
            return self._extents[self._ends.index(reached)], extent
        for number in range(position + 1, bisect_left(self._starts, self._ends[position])):
            if self._extents[number].size:
                return extent, self._extents[number]
        return None

    def _position(self, extent: T) -> int:
        position = bisect_left(self._starts, self._start(extent))
        while self._extents[position] is not extent:
            position += 1
        return position
