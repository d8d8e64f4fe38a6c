"""What is known of one connection: features, memory, rings' descriptors, what waits for an answer."""

from dataclasses import dataclass, field

from vudissect.session.device import DeviceGuess
from vudissect.session.memory import MemoryMap, Place
from vudissect.session.pairing import Request, Waiting
from vudissect.spec.effect import Effect
from vudissect.spec.features import VIRTIO_FEATURES
from vudissect.spec.model import Answer, Channel, Message
from vudissect.spec.table import Protocol
from vudissect.wire.header import NEED_REPLY

_ACCESS_PLATFORM = VIRTIO_FEATURES.mask("ACCESS_PLATFORM")


@dataclass(slots=True)
class Negotiation:
    """Features of one word: None until the message that tells was seen."""

    offered: int | None = None
    acked: int | None = None


@dataclass(slots=True)
class Ring:
    """Names of the descriptors that a ring has now, by the message that sets them."""

    descriptors: dict[Effect, str] = field(default_factory=dict)


class Connection:
    """The state of one connection between a front-end and a back-end, its channels included."""

    def __init__(self, number: int, protocol: Protocol, guess: DeviceGuess) -> None:
        self.number = number
        self.protocol = protocol
        self.guess = guess
        self.features = Negotiation()
        self.protocol_features = Negotiation()
        self.memory = MemoryMap()
        self.rings: dict[int, Ring] = {}
        self.postcopy = False
        self.waiting = tuple(Waiting() for _ in Channel)
        bits = protocol.protocol_features
        self._reply_ack = bits.mask("REPLY_ACK")
        self._log_shmfd = bits.mask("LOG_SHMFD")
        self._guest_addresses = bits.mask("GPA_ADDRESSES")

    def owes_reply(self, row: Message, flags: int) -> bool:
        """Whether the rules demand an answer to this request, as things stand."""
        acked = self.protocol_features.acked or 0
        if row.answer is Answer.ALWAYS:
            return True
        if row.answer is Answer.NEVER:
            return False
        if row.answer is Answer.IF_LOG_SHMFD and acked & self._log_shmfd:
            return True
        if row.answer is Answer.IF_POSTCOPY and self.postcopy:
            return True
        return bool(flags & NEED_REPLY and acked & self._reply_ack)

    def ring_address(self, address: int) -> Place | None:
        """Where an address of SET_VRING_ADDR lies; None for an IOVA and outside of all regions."""
        if (self.features.acked or 0) & _ACCESS_PLATFORM:
            return None
        if (self.protocol_features.acked or 0) & self._guest_addresses:
            return self.memory.by_guest_address(address)
        return self.memory.by_user_address(address)

    def close_channel(self, channel: Channel) -> tuple[Request, ...]:
        """Forget what waits on a channel; the requests that will now never get the answer that they are owed."""
        owed = self.waiting[channel].owed()
        self.waiting = tuple(Waiting() if other is channel else self.waiting[other] for other in Channel)
        return owed
