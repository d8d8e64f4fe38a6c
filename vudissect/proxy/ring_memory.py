"""The guest memory of one connection, read through the descriptors that were passed for it."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from vudissect.host.closing import close, close_soon
from vudissect.host.shared_memory import why_unreadable
from vudissect.protocol.features import F_ACCESS_PLATFORM
from vudissect.rings.memory import RingError
from vudissect.session.memory import Place
from vudissect.session.state import State

# A hostile front-end could report translations without end.
_MOST_TRANSLATIONS = 4096


class UnreadableError(Exception):
    """Memory that cannot be read though it is in a region; one line."""


class _Translation(NamedTuple):
    size: int
    user_addr: int


class Translations:
    """The IOVAs that the front-end has reported, as user addresses."""

    def __init__(self) -> None:
        self._known: dict[int, _Translation] = {}

    def update(self, iova: int, size: int, user_addr: int) -> None:
        """Add a translation."""
        if len(self._known) < _MOST_TRANSLATIONS or iova in self._known:
            self._known[iova] = _Translation(size, user_addr)

    def invalidate(self, iova: int, size: int) -> None:
        """Remove those that begin in a range."""
        for start in [start for start in self._known if iova <= start < iova + size]:
            del self._known[start]

    def user_addr(self, iova: int, length: int) -> int:
        """The user address of bytes at an IOVA; `UnreadableError` if it was not reported."""
        for start, (size, user_addr) in self._known.items():
            if start <= iova and iova + length <= start + size:
                return user_addr + iova - start
        raise UnreadableError(f"no translation of IOVA {iova:#x} was sent")


class MemoryFile:
    """The file of a memory region, by a descriptor that it owns, and lets go of at once if it cannot be read."""

    def __init__(self, fd: int) -> None:
        self._why_not = why_unreadable(fd)
        self._fd: int | None = fd
        if self._why_not:
            self.close()

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the file, fewer at its end; `UnreadableError`."""
        if self._fd is None:
            raise UnreadableError(self._why_not)
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            raise UnreadableError(str(error.strerror)) from None
        except OverflowError:
            raise UnreadableError(f"no file has an offset of {offset:#x}") from None

    def close(self) -> None:
        """Let go of the memory."""
        if self._fd is not None:
            (close_soon if self._why_not else close)(self._fd)
            self._fd = None


class RingMemory:
    """Reads where rings are. `files` has the files of the regions by the names of their descriptors."""

    def __init__(self, state: State, files: Mapping[str, MemoryFile], translations: Translations) -> None:
        self._state = state
        self._files = files
        self._translations = translations

    def read(self, address: int, length: int) -> bytes:
        """Bytes at an address as ring addresses are; `RingError` outside of all regions, or `UnreadableError`."""
        state = self._state
        if state.features.has(F_ACCESS_PLATFORM):
            address = self._translations.user_addr(address, length)
            return self._at(state.memory.by_user_address(address), address, length)
        return self._at(state.place(address), address, length)

    def read_guest(self, address: int, length: int) -> bytes:
        """Bytes at an address as the driver writes them into a ring."""
        state = self._state
        if state.features.has(F_ACCESS_PLATFORM):
            return self.read(address, length)
        return self._at(state.memory.by_guest_address(address), address, length)

    def _at(self, place: Place | None, address: int, length: int) -> bytes:
        if place is None or place.offset + length > place.region.size:
            raise RingError(f"{length} bytes at {address:#x} are in no memory region")
        region = place.region
        file = self._files.get(region.descriptor)
        if file is None:
            raise UnreadableError(f"region{region.number}: its descriptor is not available")
        try:
            data = file.read(region.mmap_offset + place.offset, length)
        except UnreadableError as error:
            raise UnreadableError(f"region{region.number}: {error}") from None
        if len(data) < length:
            raise RingError(f"the file of region{region.number} ends before {address:#x}")
        return data
