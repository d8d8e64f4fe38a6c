"""What is in flight, as one ring keeps it in the memory for that, and finds it again."""

from typing import Protocol

from vudissect.check.reference.fault import Faults
from vudissect.rings.chain import Chain
from vudissect.rings.inflight import InflightRegion
from vudissect.rings.memory import GuestMemory
from vudissect.rings.packed import PackedDevice
from vudissect.rings.packed_inflight import Descriptor, PackedInflightRegion
from vudissect.rings.split import SplitDevice

_INDEX = 0x7FFF


class Tracker(Protocol):
    """Stands between a ring and its device side, and writes down what is in flight."""

    def follow(self, device: SplitDevice | PackedDevice) -> None:
        """Use this from now on: the ring was found in memory, maybe in another place than before."""

    def resume(self, memory: GuestMemory) -> list[Chain]:
        """What was in flight when the ring was last in use; the device goes on after it."""

    def take(self, memory: GuestMemory) -> Chain | None:
        """The next request, which is in flight from now on."""

    def complete(self, chain: Chain, written: int) -> bool:
        """Give a request back; whether the driver wants to be called."""

    def forget(self, chain: Chain) -> None:
        """A request is in flight no more, though it was not given back."""


class SplitTracker:
    """For split rings: each request by its head."""

    def __init__(self, contents: memoryview, size: int, faults: Faults) -> None:
        self._region = InflightRegion(contents, size)
        self._faults = faults
        self._counter = 0
        self._region.begin()

    def follow(self, device: SplitDevice | PackedDevice) -> None:
        """See `Tracker`."""
        assert isinstance(device, SplitDevice)  # made for a split ring
        self._device = device

    def resume(self, memory: GuestMemory) -> list[Chain]:
        """See `Tracker`."""
        device, region = self._device, self._region
        if self._faults.has("INF-07", "INF-16", "NEW-07"):
            return []
        if not self._faults.has("INF-13"):
            region.recover(device.ring.used_idx)
        tracked = region.tracked
        if tracked:
            self._counter = tracked[-1].counter
            device.skip_to(device.ring.used_idx + len(tracked))
        return [device.chain_at(each.head, memory) for each in tracked]

    def take(self, memory: GuestMemory) -> Chain | None:
        """See `Tracker`."""
        chain = self._device.take(memory)
        if chain is not None:
            self._counter += 1
            self._region.mark(chain.id, self._counter)
        return chain

    def complete(self, chain: Chain, written: int) -> bool:
        """See `Tracker`."""
        device, region = self._device, self._region
        region.give_back(chain.id)
        wanted = device.complete(chain, written)
        if not self._faults.has("INF-08"):
            region.commit(chain.id)
        return wanted

    def forget(self, chain: Chain) -> None:
        """See `Tracker`."""
        self._region.clear(chain.id)


class PackedTracker:
    """For packed rings: each request with all of its descriptors."""

    def __init__(self, contents: memoryview, size: int, faults: Faults) -> None:
        self._region = PackedInflightRegion(contents, size)
        self._faults = faults
        self._counter = 0
        self._entries: dict[int, int] = {}
        self._region.begin()

    def follow(self, device: SplitDevice | PackedDevice) -> None:
        """See `Tracker`."""
        assert isinstance(device, PackedDevice)  # made for a packed ring
        self._device = device

    def resume(self, memory: GuestMemory) -> list[Chain]:
        """See `Tracker`."""
        device, region = self._device, self._region
        if self._faults.has("INF-11"):
            return []
        if not self._faults.has("INF-14"):
            region.recover(device.ring.flags)
        tracked = region.tracked
        place = device.used_place
        for each in tracked:
            self._counter, self._entries[each.id] = each.counter, each.entry
            place.advance(len(each.descriptors))
        if tracked:
            device.skip_to(place.word)
        return [each.chain(memory) for each in tracked]

    def take(self, memory: GuestMemory) -> Chain | None:
        """See `Tracker`."""
        ring, here = self._device.ring, self._device.base & _INDEX
        chain = self._device.take(memory)
        if chain is not None:
            places = ((here + number) % ring.size for number in range(chain.descriptors))
            self._counter += 1
            self._entries[chain.id] = self._region.take([Descriptor(*ring.entry(at)) for at in places], self._counter)
        return chain

    def complete(self, chain: Chain, written: int) -> bool:
        """See `Tracker`."""
        entry = self._entries.pop(chain.id)
        self._region.give_back(entry)
        wanted = self._device.complete(chain, written)
        if not self._faults.has("INF-12"):
            self._region.commit(entry)
        return wanted

    def forget(self, chain: Chain) -> None:
        """See `Tracker`."""
        entry = self._entries.pop(chain.id)
        self._region.give_back(entry)
        self._region.commit(entry)
