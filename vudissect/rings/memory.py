"""Guest memory as both sides see it: regions with a guest address and a user address, over buffers that are mapped."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class RingError(ValueError):
    """A ring, or what is in it, that a device cannot use; one line."""


class Region(NamedTuple):
    """One region: where it is for the guest and for the front-end, and its bytes."""

    guest_addr: int
    user_addr: int
    contents: memoryview


class GuestMemory:
    """Regions, looked up by either address. A view is of one region; `pieces` goes on in the next one."""

    def __init__(self, regions: Iterable[Region] = ()) -> None:
        self.regions = tuple(regions)

    def at_guest(self, address: int, length: int) -> memoryview:
        """Bytes at a guest address; `RingError` outside of all regions."""
        for region in self.regions:
            offset = address - region.guest_addr
            if offset >= 0 and offset + length <= len(region.contents):
                return region.contents[offset : offset + length]
        raise RingError(f"{length} bytes at guest address {address:#x} are in no memory region")

    def pieces(self, address: int, length: int) -> Iterator[memoryview]:
        """Bytes at a guest address, which may be in several regions; `RingError` where there is none."""
        while length:
            for region in self.regions:
                offset = address - region.guest_addr
                if 0 <= offset < len(region.contents):
                    piece = region.contents[offset : offset + length]
                    break
            else:
                raise RingError(f"{length} bytes at guest address {address:#x} are in no memory region")
            yield piece
            address, length = address + len(piece), length - len(piece)

    def at_user(self, address: int, length: int) -> memoryview:
        """Bytes at a user address; `RingError` outside of all regions."""
        for region in self.regions:
            offset = address - region.user_addr
            if offset >= 0 and offset + length <= len(region.contents):
                return region.contents[offset : offset + length]
        raise RingError(f"{length} bytes at user address {address:#x} are in no memory region")
