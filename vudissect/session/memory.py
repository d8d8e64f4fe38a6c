"""The memory map that the front-end gave: regions, and which of them an address lies in."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from vudissect.session.extents import Extents

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


def _place(extents: Extents[Region], address: int) -> Place | None:
    found = extents.at(address)
    return Place(*found) if found is not None else None


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
        self._files: dict[str, Extents[Region]] | None = None

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

    def in_file(self, descriptor: str) -> Extents[Region]:
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
        return _place(self.by_user, address)

    def by_guest_address(self, address: int) -> Place | None:
        """Where a guest physical address lies."""
        return _place(self.by_guest, address)

    def _all(self, descriptor: str) -> Iterator[Extents[Region]]:
        """Wherever a region of this descriptor is entered."""
        yield self.by_user
        yield self.by_guest
        if self._files is not None:
            yield self._files.setdefault(descriptor, Extents(_mmap_offset))
