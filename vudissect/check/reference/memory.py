"""The memory map of the back-end: regions, mapped as they come."""

import mmap
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from vudissect.check.reference.fault import Faults, RefusedError
from vudissect.host.descriptor import DescriptorKind
from vudissect.host.inspect import inspect
from vudissect.rings.memory import GuestMemory, Region

SLOTS = 32
_TABLE = 8
_WORD = 1 << 64
_SHRINK, _SEALED = 0x2, 0x8
_USER_END = 1 << 47
_SMALL = 1 << 32
_MAPPABLE = (DescriptorKind.MEMFD, DescriptorKind.FILE)
Fields = Mapping[str, int]


class _Mapped(NamedTuple):
    guest_addr: int
    user_addr: int
    size: int
    region: Region
    map: mmap.mmap | None
    end: int
    """Up to where its file is mapped."""


class _OneRegionMemory(GuestMemory):
    """In which a buffer ends with its region: a fault."""

    def pieces(self, address: int, length: int) -> Iterator[memoryview]:
        """One piece, or `RingError`."""
        yield self.at_guest(address, length)


class MemoryMap:
    """All regions. Descriptors are closed once they are mapped."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._mapped: list[_Mapped] = []
        self._leaked: list[_Mapped] = []
        self.guest_only = False

    @property
    def memory(self) -> GuestMemory:
        """The regions, to be looked up."""
        regions = [each.region for each in self._mapped]
        if self._faults.has("MEM-24"):
            return _OneRegionMemory(regions)
        return GuestMemory(regions[:1] if self._faults.has("MEM-36") else regions)

    @property
    def is_cut_short(self) -> bool:
        """Whether a file has become shorter than what is mapped of it: whoever touches that is killed by SIGBUS."""
        return any(each.end > each.map.size() for each in self._mapped if each.map is not None)

    def replace(self, regions: list[Fields], fds: tuple[int, ...]) -> None:
        """Another table; `RefusedError`, and then the old one stays."""
        refuse = self._faults.refuse
        if self._faults.has("MEM-22"):
            refuse("", any(inspect(fd).seals & _SHRINK for fd in fds if inspect(fd).seals > 0), "sealed memory")
        if self._mapped and self._faults.has("MEM-19"):
            self._faults.die_of("MEM-19")
        if self._faults.has("MEM-01"):
            refuse("", len(regions) > _TABLE - 1, "too many regions")
        refuse("MEM-02", len(regions) > _TABLE, "too many regions")
        refuse("FDS-05", len(fds) < len(regions), "fewer descriptors than regions")
        if self._faults.has("MEM-17"):
            self._leaked += self._mapped
        refuse("FDS-06", len(fds) > len(regions), "more descriptors than regions")
        before, self._mapped = self._mapped, []
        try:
            for region, fd in zip(regions, fds, strict=False):
                self._map(region, fd)
        except RefusedError:
            self._mapped = before
            raise

    def add(self, region: Fields, fds: tuple[int, ...]) -> None:
        """Another region; `RefusedError`."""
        refuse = self._faults.refuse
        refuse("MEM-31", len(fds) != 1, "one descriptor is needed")
        if not fds:
            return
        refuse("MEM-14", len(self._mapped) >= SLOTS, "no more slots")
        if self._faults.has("MEM-11"):
            return
        known = {(each.guest_addr, each.user_addr, each.size) for each in self._mapped}
        if self._faults.has("MEM-15") and _key(region) in known:
            return
        self._map(region, fds[0])

    def remove(self, region: Fields) -> None:
        """One region less; `RefusedError` if it is not there."""
        kept = [each for each in self._mapped if (each.guest_addr, each.user_addr, each.size) != _key(region)]
        other_size = any(each.guest_addr == region["guest_addr"] for each in kept)
        self._faults.refuse("MEM-37" if other_size else "MEM-12", len(kept) == len(self._mapped), "no such region")
        if self._faults.has("MEM-18"):
            self._leaked += self._mapped
        self._mapped = self._mapped if self._faults.has("MEM-35") else kept

    def _map(self, fields: Fields, fd: int) -> None:
        refuse = self._faults.refuse
        guest, size, offset = fields["guest_addr"], fields["size"], fields["mmap_offset"]
        same = guest == fields["user_addr"]
        refuse("MEM-28", self.guest_only and not same, "a user address that is not the guest address")
        refuse("", self.guest_only and same and self._faults.has("MEM-25"), "no user address")
        refuse("", fields["user_addr"] > _USER_END and self._faults.has("MEM-27"), "not an address")
        refuse("MEM-34", guest + size > _WORD and size < _SMALL, "guest addresses beyond 64 bits")
        refuse("MEM-07", size == 0, "an empty region")
        refuse("MEM-08", size + offset >= _WORD, "a region beyond all addresses")
        refuse("MEM-09", (kind := inspect(fd).kind) not in _MAPPABLE, f"an {kind.label} cannot be mapped")
        overlaps = any(guest < each.guest_addr + each.size and each.guest_addr < guest + size for each in self._mapped)
        refuse("MEM-33" if guest else "MEM-04", overlaps and not self._faults.has("MEM-04"), "regions overlap")
        is_file = kind in _MAPPABLE
        end = os.fstat(fd).st_size if is_file else 0
        sealed = is_file and inspect(fd).seals > 0 and inspect(fd).seals & _SEALED
        refuse("MEM-21", sealed, "memory that must not be written")
        if sealed:
            return
        refuse("MEM-05", is_file and size + offset < _WORD and size + offset > end, "a region beyond its file")
        # What is left of a region that should have been refused is nothing that could be used.
        usable = is_file and size and size + offset <= end
        start = offset // mmap.PAGESIZE * mmap.PAGESIZE
        mapped = mmap.mmap(fd, offset - start + size, offset=start) if usable else None
        contents = memoryview(mapped)[offset - start :] if mapped is not None else memoryview(b"")
        region = Region(guest, fields["user_addr"], contents)
        self._mapped.append(_Mapped(guest, fields["user_addr"], size, region, mapped, offset + size))


def _key(region: Fields) -> tuple[int, int, int]:
    return region["guest_addr"], region["user_addr"], region["size"]
