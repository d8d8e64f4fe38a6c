"""What the messages of a session share: what is agreed upon, memory, rings, and the channel for our own requests."""

from collections.abc import Callable

from vudissect.check.reference.channel import BackendChannel
from vudissect.check.reference.control import Control
from vudissect.check.reference.dirty_log import DirtyLog
from vudissect.check.reference.fault import Faults
from vudissect.check.reference.iotlb import Entry, Iotlb, MissError
from vudissect.check.reference.memory import MemoryMap
from vudissect.check.reference.models.model import Model
from vudissect.check.reference.vring import Vring
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.purpose import Purpose
from vudissect.rings.memory import GuestMemory
from vudissect.wire.fields import Fields

_FEW = 64
Fds = tuple[int, ...]
Handler = Callable[[Fields, Fds], Fields | None]
"""Carries out a message; gives the fields of the answer, None where there is none, {} for an empty one."""


class Core:
    """The device as one front-end has set it up."""

    def __init__(self, model: Model, faults: Faults, offered: int, control: Control) -> None:
        self.model = model
        self.faults = faults
        self.offered = offered
        self.control = control
        self.drains = True
        """Whether a ring that is stopped now has its requests done before."""
        self.features: int | None = None
        self.protocol_features = 0
        self.reply_descriptor = -1
        self.map = MemoryMap(faults)
        self.channel = BackendChannel(faults)
        self.log = DirtyLog(faults)
        model.begin(self.channel)
        self.entries: list[Entry] = []
        self.rings = [Vring(index, model, faults, self.log, control) for index in range(model.rings)]

    def agreed(self, name: str) -> bool:
        """Whether a protocol feature is acknowledged."""
        return bool(self.protocol_features & PROTOCOL_FEATURES.mask(name))

    def has(self, name: str) -> bool:
        """Whether a virtio feature is acknowledged."""
        return bool((self.features or 0) & VIRTIO_FEATURES.mask(name))

    def ring(self, fields: Fields, case: str) -> Vring:
        """The ring that a message is about; one that is not there is refused, or another one."""
        index: int = fields["index"]
        self.faults.refuse(case, index >= len(self.rings), f"no ring {index}")
        self.faults.refuse("", self.faults.has("NET-10") and index >= _FEW, "not so many rings")
        return self.rings[index % len(self.rings)]

    @property
    def is_running(self) -> bool:
        """Whether a ring is started."""
        return any(ring.started for ring in self.rings)

    @property
    def memory(self) -> GuestMemory:
        """Guest memory, as the addresses in rings mean it."""
        return Iotlb(self.entries, self.map.memory) if self.has("ACCESS_PLATFORM") else self.map.memory

    def listen(self) -> None:
        """Hear what the suite wants the device to do, and do it."""
        self.control.read()
        if self.control.grows():
            self.model.grow()
            # While it is suspended, a device sends nothing.
            if (self.is_running or self.faults.has("CHN-07")) and not self.faults.has("CFG-15"):
                self.channel.tell(Purpose.CHANGE_CONFIG, {})
        last = self.control.lets_last_go()
        if last or not self.control.holds:
            for ring in self.rings:
                ring.let_go(self.memory, only_last=last)

    def drain(self) -> None:
        """Wait until no request is held any more, and do all of them; `HangUpError`."""
        self.control.wait()
        self.listen()

    def miss(self, miss: MissError) -> None:
        """Ask for an address; what needs it is tried again when the entry comes."""
        self.faults.die_of("IOT-08")
        self.channel.report_miss(miss.iova)

    def run(self, ring: Vring) -> int:
        """Do the requests in a ring, and give the driver what there is for it then; how many requests."""
        if self.map.is_cut_short:
            self.faults.die_of("MEM-20")
            ring.broken = True
        try:
            if self.has("ACCESS_PLATFORM"):
                ring.find_again(self.memory)
            done = ring.run(self.memory)
        except MissError as miss:
            self.miss(miss)
            return 0
        if self.model.inbox and self.model.receives is not None:
            self.rings[self.model.receives].run(self.memory)
        return done
