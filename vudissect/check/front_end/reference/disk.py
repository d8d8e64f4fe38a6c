"""The guest memory of the reference front-end, and its driver: one ring, one request."""

import mmap
import os
from collections.abc import Mapping
from typing import Any

from vudissect.check.front_end.reference.errors import GiveUpError
from vudissect.check.memory import GUEST_ADDRESS, SIZE, USER_ADDRESS, Arena
from vudissect.rings import split
from vudissect.rings.blk import SECTOR, Header, Kind, Status
from vudissect.rings.chain import Buffer
from vudissect.rings.split import SplitDriver, SplitRing

RING_SIZE = 64
_ONE = (1).to_bytes(8, "little")


class DriverDisk:
    """Memory, a ring in it, and its descriptors. It outlives connections, as the guest does."""

    def __init__(self) -> None:
        self.memory = os.memfd_create("memory", os.MFD_CLOEXEC)
        os.truncate(self.memory, SIZE)
        self._arena = Arena(memoryview(mmap.mmap(self.memory, SIZE)))
        self.kick, self.call, self.err = (os.eventfd(0, os.EFD_NONBLOCK) for _ in range(3))
        parts = split.parts(RING_SIZE)
        self._starts = [self._arena.ring_at(length) for length in parts]
        views = [
            self._arena.contents[start : start + length] for start, length in zip(self._starts, parts, strict=True)
        ]
        self._ring = SplitRing(RING_SIZE, *views)
        self._driver = SplitDriver(self._ring)
        self._pending: tuple[int, Buffer] | None = None

    @property
    def region(self) -> dict[str, int]:
        """All memory, as messages have it."""
        return {"guest_addr": GUEST_ADDRESS, "size": SIZE, "user_addr": USER_ADDRESS, "mmap_offset": 0}

    @property
    def addresses(self) -> Mapping[str, Any]:
        """Where the ring is, as messages have it."""
        desc, avail, used = (USER_ADDRESS + start for start in self._starts)
        return {"index": 0, "desc": desc, "avail": avail, "used": used}

    @property
    def waits(self) -> bool:
        """Whether a request is not done yet."""
        return self._pending is not None

    @property
    def base(self) -> int:
        """Where the back-end has to go on."""
        return self._ring.used_idx

    def request(self) -> None:
        """Make a request, unless one waits already, and kick."""
        if self._pending is None:
            header = self._arena.buffer(Header(Kind.IN).pack())
            data, status = (self._arena.buffer(size, writable=True) for size in (SECTOR, 1))
            self._pending = self._driver.offer([header, data, status]), status
        os.write(self.kick, _ONE)

    def collect(self) -> bool:
        """Whether anything is done; `GiveUpError` for what cannot have been done."""
        os.read(self.call, 8)
        entries = (self._ring.used_idx - self._seen) % (1 << 16)
        if not entries:
            return False
        if entries > 1 or self._pending is None:
            raise GiveUpError(f"{entries} requests are done, and {int(self.waits)} was made")
        number, status = self._pending
        (used,) = self._driver.collect()
        self._seen = self._ring.used_idx
        if used.id != number or used.length > SECTOR + 1:
            raise GiveUpError(f"request {used.id} is done, with {used.length} bytes")
        if self._arena.read(status)[0] != Status.OK:
            raise GiveUpError("a sector cannot be read")
        self._pending = None
        return True

    _seen = 0
