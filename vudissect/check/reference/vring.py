"""A ring of the back-end: what the messages say about it, and the requests in it."""

import os
from collections.abc import Callable
from contextlib import suppress

from vudissect.check.reference.control import Control
from vudissect.check.reference.dirty_log import DirtyLog
from vudissect.check.reference.fault import Faults, die
from vudissect.check.reference.iotlb import MissError
from vudissect.check.reference.models.model import Model
from vudissect.check.reference.tracking import PackedTracker, SplitTracker, Tracker
from vudissect.rings import packed, split
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory, RingError
from vudissect.rings.packed import PackedDevice, PackedRing
from vudissect.rings.places import WRAP
from vudissect.rings.split import SplitDevice, SplitRing

_BROKEN = ("RNG-22", "RNG-23", "RNG-47", "RNG-48", "RNG-50", "RNG-51", "RNG-52", "RNG-53", "PKD-12", "PKD-13", "PKD-14")
_FEW = 8
_BOTH_WRAPS, _LOW_HALF = WRAP << 16 | WRAP, 0xFFFF


class Vring:
    """A ring. Addresses are those of the front-end."""

    def __init__(self, index: int, model: Model, faults: Faults, log: DirtyLog, control: Control) -> None:
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
        self.in_band: Callable[[], None] | None = None
        """What signals instead of the call descriptor."""
        self.broken = False
        self.has_more = False
        """Whether there may be more requests than were done at once."""
        self.log_address: int | None = None
        self.inflight: tuple[memoryview, int] | None = None
        """The part of the in-flight memory for this ring, and how many entries it has room for."""
        self._model = model
        self._log = log
        self._control = control
        self._faults = faults
        self._device: SplitDevice | PackedDevice | None = None
        self._tracker: Tracker | None = None
        self._left: list[Chain] = []
        self._held: list[Chain] = []

    def place(self, memory: GuestMemory) -> None:
        """Find the parts in memory; `RingError`."""
        if self.addresses is None or not self.size:
            self._device = None
            return
        base = self._here
        sizes = (packed if self.is_packed else split).parts(self.size)
        views = [memory.at_user(address, size) for address, size in zip(self.addresses, sizes, strict=True)]
        if self.is_packed:
            self._device = PackedDevice(PackedRing(self.size, *views), base, event_index=self.event_index)
        else:
            self._device = SplitDevice(SplitRing(self.size, *views), base, event_index=self.event_index)
        if self._tracker is not None:
            self._tracker.follow(self._device)

    def find_again(self, memory: GuestMemory) -> None:
        """Find the parts where that has not been possible yet."""
        if self.started and self._device is None:
            self.place(memory)

    def forget_place(self) -> None:
        """Memory is gone."""
        self.base = self._here
        self._device = None

    @property
    def _here(self) -> int:
        return self._device.base if self._device is not None else self.base

    def set_base(self, base: int) -> None:
        """Go on here."""
        if self.is_packed and self._faults.has("PKD-02") and base & ~_BOTH_WRAPS:
            base &= ~_BOTH_WRAPS
        self.base = base
        self._device = None

    def start(self, memory: GuestMemory) -> None:
        """From now on there may be requests; `RingError`."""
        before, self.started, self.broken = self.started, True, False
        tracker = self._tracker
        if not before:
            self._tracker = self._new_tracker()
        try:
            self.place(memory)
        except RingError:
            self.started, self._tracker = before, tracker
            raise
        if not before and self._tracker is not None and self._device is not None:
            self._left = self._tracker.resume(memory)

    def _new_tracker(self) -> Tracker | None:
        if self.inflight is None or self.inflight[1] < self.size:
            return None
        return (PackedTracker if self.is_packed else SplitTracker)(*self.inflight, self._faults)

    def stop(self) -> int:
        """No requests any more; where it came to. What is held is not done any more, either."""
        self.base = self._here
        if self._tracker is not None and self._faults.has("NEW-05"):
            for chain in self._held:
                self._tracker.forget(chain)
        if not self._faults.has("NEW-06"):
            self._held.clear()
        if not self._faults.has("RNG-18", "NEW-06"):
            self.started = False
            self._device = None
        if self.is_packed and self._faults.has("PKD-03"):
            return self.base & _LOW_HALF
        if self.is_packed and self._faults.has("PKD-05"):
            return self.base | _BOTH_WRAPS
        return self.base

    def run(self, memory: GuestMemory) -> int:
        """Do the requests that are there, at most a ringful, as a driver may never stop to make them; how many."""
        self.has_more = False
        enabled = self.enabled or self._faults.has("RNG-14")
        if not (self.started and enabled and self._device is not None) or self.broken:
            return 0
        done = 0
        try:
            while self._may_go_on(done) and (chain := self._taken(memory)) is not None:
                done += 1
                if self._control.holds:
                    self._held.append(chain)
                else:
                    self._do(chain, memory)
            self.has_more = done >= self.size
        except RingError as error:
            self._break(str(error))
        return done

    def let_go(self, memory: GuestMemory, *, only_last: bool = False) -> None:
        """Do the requests that were held, or only the last one."""
        start = max(0, len(self._held) - 1) if only_last else 0
        held, self._held = self._held[start:], self._held[:start]
        try:
            for chain in held:
                self._do(chain, memory)
        except RingError as error:
            self._break(str(error))

    def _do(self, chain: Chain, memory: GuestMemory) -> None:
        device = self._device
        assert device is not None  # the request is from it
        try:
            written = self._serve(chain, memory)
        except MissError:
            # To be taken again when the entry is there.
            device.skip_to(device.base - 1)
            raise
        self._mark(chain, written)
        if self._signals((self._tracker or device).complete(chain, written)):
            self._notify()

    def _taken(self, memory: GuestMemory) -> Chain | None:
        """The next request: first those that were in flight when the back-end before this one ended."""
        assert self._device is not None  # the ring runs
        if self._left:
            return self._left.pop(0)
        return (self._tracker or self._device).take(memory)

    def _may_go_on(self, done: int) -> bool:
        if done >= self.size:
            return False
        if self.index == self._model.receives:
            return bool(self._model.inbox)
        if self.is_packed and self._faults.has("PKD-04") and not self._here & WRAP:
            return False
        return not (self._faults.has("RNG-57") and done >= _FEW)

    def _serve(self, chain: Chain, memory: GuestMemory) -> int:
        if self.index == self._model.receives:
            return chain.write(memory, self._model.inbox.popleft()[: chain.room])
        if not all(buffer.length for buffer in chain.buffers):
            self._faults.die_of("RNG-49")
        if chain.is_indirect and self._faults.has("PKD-10" if self.is_packed else "RNG-56"):
            raise RingError("an indirect table")
        return self._model.serve(self.index, chain, memory, self._faults)

    def _mark(self, chain: Chain, written: int) -> None:
        """Log what a request writes to: its answer, and the used ring."""
        for buffer in chain.buffers:
            if buffer.writable and not self._faults.has("LOG-03"):
                self._log.mark(buffer.address, min(buffer.length, written))
                written -= min(buffer.length, written)
        if self.log_address is not None and not self._faults.has("PKD-08" if self.is_packed else "LOG-04"):
            used = 0 if self.is_packed else 2
            self._log.mark(self.log_address, (packed if self.is_packed else split).parts(self.size)[used])

    def _signals(self, wanted: bool) -> bool:
        if self._faults.has("PKD-09" if self.is_packed else "RNG-54"):
            wanted = True
        if self._faults.has("PKD-01" if self.is_packed else "RNG-01"):
            wanted = False
        if self.event_index and self._faults.has("PKD-11" if self.is_packed else "RNG-55"):
            wanted = False
        return wanted

    def _notify(self) -> None:
        if self.in_band is not None:
            self.in_band()
        elif self.call >= 0:
            signal(self.call)

    def _break(self, why: str) -> None:
        """A driver that does what none may do is served no more."""
        self.broken = True
        if self._faults.has("RNG-21") and "are available" in why:
            while True:
                pass
        if self._faults.has(*_BROKEN):
            die()
        if self.err >= 0 and not self._faults.has("RNG-39"):
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
