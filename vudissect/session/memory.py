"""The memory map that the front-end gave: regions, and which of them an address lies in."""

from bisect import bisect_right
from typing import NamedTuple

# More than any front-end has; a hostile one could add regions for ever.
_MOST_REGIONS = 1024


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


class MemoryMap:
    """The regions in force, by user address and by guest address.

    `changed_in` is the frame in which they changed last. `whole`: a table told them all, whenever the capture began.
    """

    def __init__(self) -> None:
        self.regions: tuple[Region, ...] = ()
        self.changed_in = 0
        self.whole = False
        self._by_user: tuple[list[int], list[Region]] = ([], [])
        self._by_guest: tuple[list[int], list[Region]] = ([], [])

    def replace(self, regions: tuple[Region, ...], frame: int = 0) -> None:
        """Put another table in force."""
        self.regions = regions
        self.changed_in = frame
        by_user = sorted(regions, key=lambda region: region.user_addr)
        by_guest = sorted(regions, key=lambda region: region.guest_addr)
        self._by_user = ([region.user_addr for region in by_user], by_user)
        self._by_guest = ([region.guest_addr for region in by_guest], by_guest)

    def add(
        self, guest_addr: int, size: int, user_addr: int, mmap_offset: int, descriptor: str, frame: int = 0
    ) -> Region:
        """Add one region, under the lowest number that is free."""
        taken = {region.number for region in self.regions}
        number = next(n for n in range(len(taken) + 1) if n not in taken)
        region = Region(number, guest_addr, size, user_addr, mmap_offset, descriptor, frame)
        if number < _MOST_REGIONS:
            self.replace((*self.regions, region), frame)
        return region

    def remove(self, guest_addr: int, size: int, user_addr: int, frame: int = 0) -> Region | None:
        """Remove the region with these addresses and size; None where there is none."""
        for region in self.regions:
            if (region.guest_addr, region.size, region.user_addr) == (guest_addr, size, user_addr):
                self.replace(tuple(other for other in self.regions if other is not region), frame)
                return region
        return None

    def by_user_address(self, address: int) -> Place | None:
        """Where an address of the front-end's process lies."""
        starts, regions = self._by_user
        position = bisect_right(starts, address) - 1
        if position >= 0 and address - starts[position] < regions[position].size:
            return Place(regions[position], address - starts[position])
        return None

    def by_guest_address(self, address: int) -> Place | None:
        """Where a guest physical address lies."""
        starts, regions = self._by_guest
        position = bisect_right(starts, address) - 1
        if position >= 0 and address - starts[position] < regions[position].size:
            return Place(regions[position], address - starts[position])
        return None
