"""What is known about one connection at one point, as a value: features, memory, rings, migration.

A state is never changed; the effect of a message is another state (`session.effects`). So states can be kept and
compared, and a capture can be examined at any frame.
"""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from vudissect.protocol.devices import feature_names
from vudissect.protocol.devices.network import NET
from vudissect.protocol.features import F_ACCESS_PLATFORM, F_PROTOCOL_FEATURES
from vudissect.protocol.model import Row
from vudissect.protocol.table import Protocol
from vudissect.session.answering import Answering, bits_of
from vudissect.session.device import DeviceGuess
from vudissect.session.extents import Extents
from vudissect.session.memory import NO_MEMORY, MemoryMap, Place, Region
from vudissect.session.phases import PHASES, Phase, Step
from vudissect.session.rings import Order, Ring, Rings, Started
from vudissect.session.shared import NO_MAPPINGS, NO_OBJECTS, SharedMappings, SharedObjects


class Negotiation(NamedTuple):
    """The feature words, and the frames that last set them: None and 0 until such a message was seen."""

    offered: int | None = None
    acked: int | None = None
    offered_in: int = 0
    acked_in: int = 0

    def offer(self, word: int, frame: int) -> "Negotiation":
        """After another offer."""
        return self._replace(offered=word, offered_in=frame)

    def acknowledge(self, word: int, frame: int) -> "Negotiation":
        """After another acknowledgement."""
        return self._replace(acked=word, acked_in=frame)

    def has(self, mask: int) -> bool:
        """Whether all these features are in effect; never for 0, the mask of a feature that the dialect lacks."""
        return mask != 0 and (self.acked or 0) & mask == mask


class Postcopy(Enum):
    """The progress of postcopy migration."""

    NONE = "none"
    ADVISED = "advised"
    LISTENING = "listening"
    ENDED = "ended"


class SharedFile(NamedTuple):
    """Memory that was passed for a purpose (log, in-flight requests): its size, descriptor and frame."""

    size: int
    offset: int
    descriptor: str
    frame: int


@dataclass(frozen=True, slots=True)
class State:
    """The state of one connection between a front-end and a back-end, including its channels.

    Numbers and words are None until a message sets them: a capture may begin in mid-session.
    """

    number: int
    """The number of the connection, from 1."""
    protocol: Protocol
    """The dialect."""
    guess: DeviceGuess = DeviceGuess()  # noqa: RUF009 - a tuple
    """The device type, guessed from the messages so far."""
    phase: Phase = Phase.CONNECTED
    opened: int | None = None
    """The frame in which it began."""
    gap: bool = False
    """Whether messages are missing from the capture."""
    programs: tuple[str, str] = ("", "")
    """The command names of the peers ("" if unknown), by `Side`."""
    device_id: str = ""
    """The id of the device in its VM; "" if unknown."""
    features: Negotiation = Negotiation()  # noqa: RUF009
    protocol_features: Negotiation = Negotiation()  # noqa: RUF009
    gpu_features: Negotiation = Negotiation()  # noqa: RUF009
    owned_since: int | None = None
    queues: int | None = None
    memory_slots: int | None = None
    memory: MemoryMap = field(default_factory=lambda: NO_MEMORY)
    rings: Rings = field(default_factory=Rings)
    log: SharedFile | None = None
    inflight: SharedFile | None = None
    status: int | None = None
    config: bytes | None = None
    postcopy: Postcopy = Postcopy.NONE
    transferring_state: str = ""
    shared_memory: tuple[int, ...] | None = None
    """The sizes of the shared memory regions."""
    mappings: SharedMappings = field(default_factory=lambda: NO_MAPPINGS)
    """What the back-end has mapped into them."""
    objects: SharedObjects = field(default_factory=lambda: NO_OBJECTS)
    """What the back-end shares with other devices."""

    @property
    def label(self) -> str:
        """Its name for people: its number, and the id of its device."""
        return f"connection {self.number}{f' ({self.device_id})' if self.device_id else ''}"

    @property
    def from_start(self) -> bool:
        """Whether no part of the negotiation was missed: its first message was seen, and none is missing since."""
        return self.opened is not None and not self.gap

    @property
    def whole(self) -> bool:
        """Whether it was seen from its beginning, so that what was not seen did not happen."""
        return (self.opened is not None or self.owned_since is not None) and not self.gap

    @property
    def knows_memory(self) -> bool:
        """Whether no region can have been missed."""
        return self.whole or self.memory.whole

    @property
    def most_rings(self) -> int | None:
        """How many rings the back-end can have, if it reported that.

        Network devices count pairs, and also have a control queue; so might a device of unknown type.
        """
        if self.queues is None or self.guess.device not in (None, NET):
            return self.queues
        return 2 * self.queues + 1

    @property
    def uses_guest_addresses(self) -> bool:
        """Whether ring addresses are guest addresses, not those of the front-end's process."""
        return self.protocol_features.has(bits_of(self.protocol).guest_addresses)

    @property
    def runs_on_order(self) -> bool:
        """Whether rings are started only by a message, not by a kick."""
        return self.protocol_features.has(bits_of(self.protocol).must_run)

    @property
    def answering(self) -> Answering:
        """What decides which requests are owed an answer."""
        bits, features = bits_of(self.protocol), self.protocol_features
        return Answering(
            features.has(bits.reply_ack),
            features.has(bits.log_shmfd),
            features.has(bits.reply_all),
            self.postcopy is Postcopy.LISTENING,
        )

    def owes_reply(self, row: Row, flags: int) -> bool:
        """Whether the rules require an answer to this request in this state."""
        return self.answering.owes(row, flags)

    def lacks(self, feature: str) -> bool:
        """Whether a protocol feature is known not to be in effect; never if its negotiation may have been missed."""
        if not self.from_start and self.protocol_features.acked is None:
            return False
        return not self.has(feature)

    def has(self, feature: str) -> bool:
        """Whether a protocol feature of this name is in effect."""
        return self.protocol_features.has(self.protocol.protocol_features.known(feature))

    def offers(self, *names: str) -> bool:
        """Whether the back-end offers any of these protocol features."""
        return bool((self.protocol_features.offered or 0) & self.protocol.protocol_features.known(*names))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the acknowledged virtio features."""
        return feature_names(self.guess.device, self.features.acked or 0)

    @property
    def protocol_feature_names(self) -> tuple[str, ...]:
        """The names of the acknowledged protocol features."""
        return self.protocol.protocol_features.names(self.protocol_features.acked or 0)

    def ring_address(self, address: int) -> Place | None:
        """The place of a ring address; None for an IOVA and outside all regions."""
        return None if self.features.has(F_ACCESS_PLATFORM) else self.place(address)

    @property
    def addressed_regions(self) -> Extents[Region]:
        """The memory regions by the addresses that `place` goes by."""
        return self.memory.by_guest if self.uses_guest_addresses else self.memory.by_user

    def place(self, address: int) -> Place | None:
        """The place of a user address, or of a guest address if those are used instead."""
        if self.uses_guest_addresses:
            return self.memory.by_guest_address(address)
        return self.memory.by_user_address(address)

    def ring(self, index: int) -> Ring:
        """The ring with this index, or a new one."""
        ring = self.rings.get(index)
        if ring is not None:
            return ring
        if self.features.acked is not None and not self.features.acked & F_PROTOCOL_FEATURES:
            return Ring(index).after(Order.ENABLE_ALL)
        return Ring(index)

    def with_ring(self, ring: Ring) -> "State":
        """A copy with one ring added or replaced."""
        return replace(self, rings=self.rings.with_ring(ring))

    def after_order(self, ring: Ring, order: Order, frame: int, time: int) -> "State":
        """A copy with a ring after an order to it, and the resulting phase."""
        ring = ring.after(order, frame, time)
        state = self.with_ring(ring)
        if ring.started is Started.STARTED:
            return state.after_step(Step.RING_STARTED)
        return state if state.rings.started else state.after_step(Step.RINGS_STOPPED)

    def after_order_to_all(self, order: Order, frame: int, time: int) -> "State":
        """A copy with all rings after an order to them, and the resulting phase."""
        if not self.rings:
            return self
        state = replace(self, rings=self.rings.after(order, frame, time))
        return state.after_step(Step.RING_STARTED if state.rings.started else Step.RINGS_STOPPED)

    def after_step(self, step: Step) -> "State":
        """A copy in the next phase."""
        phase = PHASES.get((self.phase, step), self.phase)
        return self if phase is self.phase else replace(self, phase=phase)

    def interrupted(self) -> "State":
        """A copy with messages missing from here on."""
        return replace(self, gap=True, memory=self.memory.interrupted())
