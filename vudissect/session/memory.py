"""The memory map that the front-end gave: regions, and which of them an address lies in."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

# More than any front-end has; a hostile one could add regions for ever.
_MOST_REGIONS = 1024

# So many regions are searched sooner than they are indexed by file.
_FEW_REGIONS = 16


class Region(NamedTuple):
    """A memory region, as told in `frame`.

    `number` counts from 0 and stays while the region lives; `descriptor` is its name.
    """

    number: int
    guest_addr: int
    size: int
    user_addr: int
    mmap_offset: int
    descriptor: str
    frame: int = 0


class Place(NamedTuple):
    """An address as region and offset (bytes)."""

    region: Region
    offset: int


class Extents:
    """Regions in the order in which they begin in one address space; those that begin together, in that of the map."""

    __slots__ = ("_ends", "_regions", "_start", "_starts")

    def __init__(self, start: Callable[[Region], int], regions: Iterable[Region] = ()) -> None:
        self._start = start
        self._regions = sorted(regions, key=start)
        self._starts = [start(region) for region in self._regions]
        self._ends = [start(region) + region.size for region in self._regions]

    def __len__(self) -> int:
        return len(self._regions)

    @property
    def end(self) -> int:
        """Where the last of them ends; 0 without any."""
        return max(self._ends, default=0)

    def add(self, region: Region) -> None:
        """One more, the last of the map."""
        start = self._start(region)
        position = bisect_right(self._starts, start)
        self._regions.insert(position, region)
        self._starts.insert(position, start)
        self._ends.insert(position, start + region.size)

    def remove(self, region: Region) -> None:
        """One less."""
        position = self._position(region)
        del self._regions[position], self._starts[position], self._ends[position]

    def at(self, address: int) -> Place | None:
        """Where an address lies."""
        position = bisect_right(self._starts, address) - 1
        if position >= 0 and address - self._starts[position] < self._regions[position].size:
            return Place(self._regions[position], address - self._starts[position])
        return None

    def from_start(self, start: int) -> Iterator[Region]:
        """Those that begin there."""
        for position in range(bisect_left(self._starts, start), bisect_right(self._starts, start)):
            yield self._regions[position]

    def overlap(self, new: Sequence[Region]) -> tuple[Region, Region] | None:
        """The first two that share bytes, at least one of them new; None where there are none.

        One new region is compared with those around it, several of one message with all.
        """
        if len(new) == 1:
            return self._overlapping(new[0])
        lower: Region | None = None
        for upper in self._regions if new else ():
            if not upper.size:
                continue
            if lower is not None and self._start(upper) < self._start(lower) + lower.size:
                if new[0].frame in (lower.frame, upper.frame):
                    return lower, upper
                if self._start(upper) + upper.size <= self._start(lower) + lower.size:
                    continue
            lower = upper
        return None

    def _overlapping(self, region: Region) -> tuple[Region, Region] | None:
        if not region.size:
            return None
        position = self._position(region)
        reached = max(self._ends[:position], default=0)
        if self._starts[position] < reached:
            return self._regions[self._ends.index(reached)], region
        for number in range(position + 1, bisect_left(self._starts, self._ends[position])):
            if self._regions[number].size:
                return region, self._regions[number]
        return None

    def _position(self, region: Region) -> int:
        position = bisect_left(self._starts, self._start(region))
        while self._regions[position] is not region:
            position += 1
        return position


def _guest_addr(region: Region) -> int:
    return region.guest_addr


def _user_addr(region: Region) -> int:
    return region.user_addr


def _mmap_offset(region: Region) -> int:
    return region.mmap_offset


class MemoryMap:
    """The regions in force, in the order in which they were told, by user address and by guest address.

    `changed_in` is the frame in which they changed last. `whole`: a table told them all, whenever the capture began.
    """

    __slots__ = ("_files", "_free", "by_guest", "by_user", "changed_in", "regions", "whole")

    def __init__(self) -> None:
        self.whole = False
        self.replace(())

    def replace(self, regions: tuple[Region, ...], frame: int = 0) -> None:
        """Put another table in force; its regions are numbered from 0."""
        self.regions = regions[:_MOST_REGIONS]
        self.changed_in = frame
        self.by_user = Extents(_user_addr, self.regions)
        self.by_guest = Extents(_guest_addr, self.regions)
        # Numbers that regions had which were removed, as a heap.
        self._free: list[int] = []
        # By descriptor; made when it is first asked for.
        self._files: dict[str, Extents] | None = None

    def add(
        self, guest_addr: int, size: int, user_addr: int, mmap_offset: int, descriptor: str, frame: int = 0
    ) -> Region:
        """Add one region, under the lowest number that is free."""
        fits = len(self.regions) < _MOST_REGIONS
        number = heappop(self._free) if self._free and fits else len(self.regions)
        region = Region(number, guest_addr, size, user_addr, mmap_offset, descriptor, frame)
        if fits:
            self.regions += (region,)
            self.changed_in = frame
            for extents in self._all(descriptor):
                extents.add(region)
        return region

    def remove(self, guest_addr: int, size: int, user_addr: int, frame: int = 0) -> Region | None:
        """Remove the region with these addresses and size; None where there is none."""
        for region in self.by_guest.from_start(guest_addr):
            if (region.size, region.user_addr) == (size, user_addr):
                position = self.regions.index(region)
                self.regions = self.regions[:position] + self.regions[position + 1 :]
                self.changed_in = frame
                heappush(self._free, region.number)
                for extents in self._all(region.descriptor):
                    extents.remove(region)
                if self._files is not None and not self._files[region.descriptor]:
                    del self._files[region.descriptor]
                return region
        return None

    def in_file(self, descriptor: str) -> Extents:
        """The regions of one file, by their place in it."""
        if self._files is None and len(self.regions) <= _FEW_REGIONS:
            return Extents(_mmap_offset, (region for region in self.regions if region.descriptor == descriptor))
        if self._files is None:
            files: dict[str, list[Region]] = {}
            for region in self.regions:
                files.setdefault(region.descriptor, []).append(region)
            self._files = {name: Extents(_mmap_offset, regions) for name, regions in files.items()}
        return self._files.get(descriptor) or Extents(_mmap_offset)

    def by_user_address(self, address: int) -> Place | None:
        """Where an address of the front-end's process lies."""
        return self.by_user.at(address)

    def by_guest_address(self, address: int) -> Place | None:
        """Where a guest physical address lies."""
        return self.by_guest.at(address)

    def _all(self, descriptor: str) -> Iterator[Extents]:
        """Wherever a region of this descriptor is entered."""
        yield self.by_user
        yield self.by_guest
        if self._files is not None:
            yield self._files.setdefault(descriptor, Extents(_mmap_offset))
