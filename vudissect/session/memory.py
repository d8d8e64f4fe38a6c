"""The memory map that the front-end has set: regions, and which of them contains an address."""

from typing import NamedTuple

from vudissect.session.extents import Extents

# More than any front-end has; a hostile one could add regions without end.
_MOST_REGIONS = 1024


class Region(NamedTuple):
    """A memory region, as sent in `frame`.

    `number` counts from 0 and does not change while the region exists; `descriptor` is its name.
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


# At half the cost of calling the class: most messages may have an address.
_new = tuple.__new__


def _guest_addr(region: Region) -> int:
    return region.guest_addr


def _user_addr(region: Region) -> int:
    return region.user_addr


def _mmap_offset(region: Region) -> int:
    return region.mmap_offset


class MemoryMap:
    """The regions in effect, in the order of arrival, by user address and by guest address; immutable.

    `changed_in` is the frame of the last change, `table_in` that of the last table. `whole`: a table has set them
    all, so it does not matter when the capture began.
    """

    __slots__ = ("_free", "by_guest", "by_user", "changed_in", "regions", "table_in", "whole")

    def __init__(self, regions: tuple[Region, ...] = (), changed_in: int = 0, *, whole: bool = False) -> None:
        self.regions = regions[:_MOST_REGIONS]
        self.changed_in = self.table_in = changed_in
        # Numbers of removed regions, lowest first.
        self._free: tuple[int, ...] = ()
        self.whole = whole
        self.by_user = Extents(_user_addr, self.regions)
        self.by_guest = Extents(_guest_addr, self.regions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryMap) and (self.regions, self.whole) == (other.regions, other.whole)

    __hash__ = None  # type: ignore[assignment]

    def with_region(self, region: Region) -> "MemoryMap":
        """This map with one more region, under the lowest free number; the same map if it is full."""
        if len(self.regions) >= _MOST_REGIONS:
            return self
        region = region._replace(number=self._free[0] if self._free else len(self.regions))
        memory = self._derived(
            (*self.regions, region), region.frame, self.by_user.plus(region), self.by_guest.plus(region)
        )
        memory._free = self._free[1:]
        return memory

    def without(self, region: Region, frame: int) -> "MemoryMap":
        """This map without one of its regions, which was removed in a frame."""
        position = self.regions.index(region)
        regions = self.regions[:position] + self.regions[position + 1 :]
        memory = self._derived(regions, frame, self.by_user.minus(region), self.by_guest.minus(region))
        memory._free = tuple(sorted((*self._free, region.number)))
        return memory

    def interrupted(self) -> "MemoryMap":
        """The map after messages were missed: there may be other regions."""
        if not self.whole:
            return self
        memory = self._derived(self.regions, self.changed_in, self.by_user, self.by_guest)
        memory.whole = False
        return memory

    def find(self, guest_addr: int, size: int, user_addr: int) -> Region | None:
        """The region with these addresses and size; None if there is none."""
        for region in self.by_guest.from_start(guest_addr):
            if (region.size, region.user_addr) == (size, user_addr):
                return region
        return None

    def in_file(self, descriptor: str) -> Extents[Region]:
        """The regions of one file, by their offsets in it."""
        return Extents(_mmap_offset, (region for region in self.regions if region.descriptor == descriptor))

    def by_user_address(self, address: int) -> Place | None:
        """The place of an address in the front-end's process."""
        region = self.by_user.at(address)
        return _new(Place, (region, address - region.user_addr)) if region is not None else None

    def by_guest_address(self, address: int) -> Place | None:
        """The place of a guest physical address."""
        region = self.by_guest.at(address)
        return _new(Place, (region, address - region.guest_addr)) if region is not None else None

    def _derived(
        self, regions: tuple[Region, ...], frame: int, by_user: Extents[Region], by_guest: Extents[Region]
    ) -> "MemoryMap":
        memory = MemoryMap.__new__(MemoryMap)
        memory.regions, memory.changed_in, memory.whole = regions, frame, self.whole
        memory.table_in, memory._free = self.table_in, self._free
        memory.by_user, memory.by_guest = by_user, by_guest
        return memory


NO_MEMORY = MemoryMap()
