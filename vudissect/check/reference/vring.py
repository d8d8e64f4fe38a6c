"""A ring of the back-end: what the messages say about it, and the requests in it."""

import os
from contextlib import suppress

from vudissect.check.reference.disk import Disk
from vudissect.check.reference.fault import Faults, die
from vudissect.rings import packed, split
from vudissect.rings.memory import GuestMemory, RingError
from vudissect.rings.packed import PackedDevice, PackedRing
from vudissect.rings.split import SplitDevice, SplitRing

_PACKED_START = 0x8000_8000


class Vring:
    """A ring. Addresses are those of the front-end."""

    def __init__(self, index: int, disk: Disk, faults: Faults) -> None:
        self.index = index
        self.size = 0
        self.base = 0
        self.addresses: tuple[int, int, int] | None = None
        self.kick = -1
        self.call = -1
        self.err = -1
        self.started = False
        self.enabled = False
        self.polled = False
        self.is_packed = False
        self.event_index = False
        self.broken = False
        self._served = 0
        self._disk = disk
        self._faults = faults
        self._device: SplitDevice | PackedDevice | None = None

    def place(self, memory: GuestMemory) -> None:
        """Find the parts in memory; `RingError`."""
        if self.addresses is None or not self.size:
            self._device = None
            return
        base = self._device.base if self._device is not None else self.base
        sizes = (packed if self.is_packed else split).parts(self.size)
        views = [memory.at_user(address, size) for address, size in zip(self.addresses, sizes, strict=True)]
        if self.is_packed:
            self._device = PackedDevice(PackedRing(self.size, *views), base, event_index=self.event_index)
        else:
            self._device = SplitDevice(SplitRing(self.size, *views), base, event_index=self.event_index)

    def forget_place(self) -> None:
        """Memory is gone."""
        if self._device is not None:
            self.base = self._device.base
        self._device = None

    def set_base(self, base: int) -> None:
        """Go on here."""
        self.base = base
        self._device = None

    def start(self, memory: GuestMemory) -> None:
        """From now on there may be requests; `RingError`."""
        self.place(memory)
        self.started = True
        self.broken = False

    def stop(self) -> int:
        """No requests any more; where it came to."""
        if self._device is not None:
            self.base = self._device.base
        if not self._faults.has("RNG-18"):
            self.started = False
            self._device = None
        return self.base

    def run(self, memory: GuestMemory) -> None:
        """Do all requests that are there."""
        enabled = self.enabled or self._faults.has("RNG-14")
        if not (self.started and enabled and self._device is not None) or self.broken:
            return
        try:
            while (chain := self._device.take(memory)) is not None:
                written = self._disk.serve(chain, memory)
                wanted = self._device.complete(chain, written)
                self._served += 1
                if wanted and self.call >= 0 and not self._faults.has("RNG-01"):
                    signal(self.call)
        except RingError as error:
            self._break(str(error))

    def _break(self, why: str) -> None:
        """A driver that does what none may do is served no more."""
        self.broken = True
        if self._faults.has("RNG-21") and "are available" in why:
            while True:
                pass
        if (self._faults.has("RNG-22") and "never ends" in why) or (
            self._faults.has("RNG-23") and "in no memory" in why
        ):
            die()
        if self.err >= 0:
            signal(self.err)

    def replace(self, which: str, fd: int) -> None:
        """Use another descriptor, and close the one before."""
        before = getattr(self, which)
        setattr(self, which, fd)
        if before >= 0:
            os.close(before)

    def close(self) -> None:
        """Close the descriptors."""
        for which in ("kick", "call", "err"):
            self.replace(which, -1)


def signal(fd: int) -> None:
    """Write to a call or err descriptor."""
    with suppress(BlockingIOError):
        os.eventfd_write(fd, 1)
