"""The device that front-ends get: what it offers by device type, and how it does their requests."""

from dataclasses import dataclass

from vudissect.check.reference.control import Control
from vudissect.check.reference.device import OFFERED
from vudissect.check.reference.dirty_log import DirtyLog
from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.blk import Disk
from vudissect.check.reference.vring import Vring, signal
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Device
from vudissect.rings.chain import Chain, Used
from vudissect.rings.memory import GuestMemory, RingError
from vudissect.rings.split import SplitDevice

CONFIG_ROOM = 256
_SLOTS = 32
_MANY_RINGS = 8
_JUMP = 1000
_COMMON = ("VERSION_1", "PROTOCOL_FEATURES", "LOG_ALL", "INDIRECT_DESC", "EVENT_IDX")
_OWN = {"blk": ("SEG_MAX", "BLK_SIZE", "FLUSH", "CONFIG_WCE", "MQ"), "net": ("MRG_RXBUF",)}


@dataclass(slots=True)
class Offer:
    """What the next connection is offered. `queues` is the number that is reported, `rings` those that there are."""

    features: int
    protocol_features: int
    queues: int
    rings: int
    slots: int
    config: bytearray


def offer_for(device: Device) -> Offer:
    """What a back-end of this type offers that is right in everything."""
    features = VIRTIO_FEATURES.mask(*_COMMON) | device.features.mask(*_OWN.get(device.name, ()))
    config = bytearray(Disk().config if device.name == "blk" else b"")
    pairs = device.name == "net"
    rings = 2 if pairs or device.name == "blk" else _MANY_RINGS
    return Offer(features, OFFERED, 1 if pairs else rings, rings, _SLOTS, config.ljust(CONFIG_ROOM, b"\0"))


class Servant(Disk):
    """Does the requests of one case, and counts them."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self._is_disk = device.name == "blk"
        self.requests = 0

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """A disk does what is asked for; of other devices, what the driver sends is dropped."""
        self.requests += 1
        return super().serve(ring, chain, memory, faults) if self._is_disk else 0


class ScriptedRing(Vring):
    """A ring that can do something wrong with the next request: `flaw` is one of `FLAWS`."""

    FLAWS = (
        "the used index jumps",
        "an unknown id is used",
        "more is written than there is room for",
        "nothing is done",
    )

    def __init__(self, index: int, servant: Servant, log: DirtyLog, *, takes: bool) -> None:
        super().__init__(index, servant, Faults(), log, Control())
        self.flaw = ""
        self._takes = takes

    def run(self, memory: GuestMemory) -> int:
        """Do all requests; a ring for what comes from outside has none that can be done."""
        if not self._takes:
            return 0
        if self.flaw and self.started and self.enabled and isinstance(self._device, SplitDevice):
            self._break_used(self._device, memory)
            return 1
        return super().run(memory)

    def _break_used(self, device: SplitDevice, memory: GuestMemory) -> None:
        """Take a request, and use it wrongly."""
        try:
            chain = device.take(memory)
        except RingError:
            return
        if chain is None:
            return
        ring = device.ring
        if self.flaw == self.FLAWS[0]:
            ring.used_idx = (ring.used_idx + _JUMP) % (1 << 16)
        elif self.flaw != self.FLAWS[3]:
            head, length = (ring.size - 1, 0) if self.flaw == self.FLAWS[1] else (chain.id, (1 << 32) - 1)
            ring.set_used(ring.used_idx, Used(head, length))
            ring.used_idx = (ring.used_idx + 1) % (1 << 16)
        self.flaw, self.broken = "", True
        if self.call >= 0:
            signal(self.call)


def rings_for(device: Device, count: int, servant: Servant, log: DirtyLog) -> list[Vring]:
    """The rings: all that drivers send something into are emptied."""
    return [ScriptedRing(index, servant, log, takes=_takes(device, index)) for index in range(count)]


def _takes(device: Device, ring: int) -> bool:
    return device.name == "blk" or (device.name == "net" and ring % 2 == 1)
