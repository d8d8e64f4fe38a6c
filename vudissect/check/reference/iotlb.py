"""I/O virtual addresses: which user addresses they mean, and what is asked for when that is not known."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vudissect.rings.memory import GuestMemory, RingError


class MissError(Exception):
    """An address without an entry: the request has to wait."""

    def __init__(self, iova: int) -> None:
        super().__init__(iova)
        self.iova = iova


class Entry(NamedTuple):
    """A range of addresses, and the user address at which it begins."""

    iova: int
    size: int
    user: int

    def overlaps(self, iova: int, size: int) -> bool:
        """Whether it has any of these addresses."""
        return self.iova < iova + size and iova < self.iova + self.size


class Iotlb(GuestMemory):
    """Guest memory as a device after an IOMMU has it; rings are found like buffers. `MissError` for what is unknown."""

    def __init__(self, entries: Sequence[Entry], memory: GuestMemory) -> None:
        super().__init__(memory.regions)
        self._entries = entries
        self._memory = memory

    def pieces(self, address: int, length: int) -> Iterator[memoryview]:
        """See `GuestMemory`."""
        while length:
            entry = self._entry(address)
            offset = address - entry.iova
            count = min(length, entry.size - offset)
            yield self._memory.at_user(entry.user + offset, count)
            address, length = address + count, length - count

    def at_guest(self, address: int, length: int) -> memoryview:
        """See `GuestMemory`; pages must be next to each other in the front-end, too."""
        first = self._entry(address)
        start, done = first.user + address - first.iova, 0
        while done < length:
            entry = self._entry(address + done)
            if entry.user + address + done - entry.iova != start + done:
                raise RingError(f"{length} bytes at {address:#x} are in several places")
            done = entry.iova + entry.size - address
        return self._memory.at_user(start, length)

    def at_user(self, address: int, length: int) -> memoryview:
        """Ring addresses are translated as well."""
        return self.at_guest(address, length)

    def _entry(self, address: int) -> Entry:
        for entry in self._entries:
            if entry.overlaps(address, 1):
                return entry
        raise MissError(address)
