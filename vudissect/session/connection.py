"""What is known of one connection: features, memory, rings, migration, and what waits for an answer."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from vudissect.session.device import DeviceGuess
from vudissect.session.memory import MemoryMap, Place
from vudissect.session.pairing import Request, Waiting
from vudissect.session.phases import PHASES, Phase, Step
from vudissect.session.rings import Move, Order, Ring, Slot, Started
from vudissect.spec.devices.network import NET
from vudissect.spec.effect import Effect
from vudissect.spec.features import VIRTIO_FEATURES
from vudissect.spec.model import Answer, Channel, Message
from vudissect.spec.table import Protocol
from vudissect.wire.header import NEED_REPLY

_ACCESS_PLATFORM = VIRTIO_FEATURES.mask("ACCESS_PLATFORM")
_PROTOCOL_FEATURES = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")

# More than any device has; a hostile peer could name four billion.
_MOST_RINGS = 1024


@dataclass(slots=True)
class Negotiation:
    """Features of one word, and the frames that told them last: None and 0 until the message that tells was seen."""

    offered: int | None = None
    acked: int | None = None
    offered_in: int = 0
    acked_in: int = 0

    def offer(self, word: int, frame: int) -> None:
        """Take note of an offer."""
        self.offered, self.offered_in = word, frame

    def acknowledge(self, word: int, frame: int) -> None:
        """Take note of an acknowledgement."""
        self.acked, self.acked_in = word, frame

    def has(self, mask: int) -> bool:
        """Whether all these features are in force; never for 0, the mask of a feature that the dialect lacks."""
        return mask != 0 and (self.acked or 0) & mask == mask


class Postcopy(Enum):
    """How far postcopy migration has come."""

    NONE = "none"
    ADVISED = "advised"
    LISTENING = "listening"
    ENDED = "ended"


class SharedFile(NamedTuple):
    """Memory that was given for a purpose (log, in-flight requests): its size, descriptor and frame."""

    size: int
    offset: int
    descriptor: str
    frame: int


class Change(NamedTuple):
    """Something that a message changed, in the words of the state."""

    subject: str
    before: str
    after: str


class Connection:
    """The state of one connection between a front-end and a back-end, its channels included.

    Numbers and words are None until a message has told them: a capture may begin in mid-session. `opened` is the
    frame in which it began, `programs` are the command names of the peers ("" if unknown), indexed by `Side`.
    `frame` is the latest one and `time` when it came (ns), `answered` is the frame of the latest request on the main
    channel that has its answer; where a `gap` is noted, messages are missing from the capture.

    `started_rings`, `running_rings` and `used_rings` count the rings that are started, that run, and that have ever
    run; `kicks` has the number of started rings for each kick descriptor; `latest_run` is the frame in which a ring
    last began to run. So nobody has to look at all rings to find that there are none.
    """

    __slots__ = (
        "_changes",
        "_guest_addresses",
        "_log_shmfd",
        "_must_run",
        "_reply_ack",
        "_reply_all",
        "answered",
        "config",
        "features",
        "frame",
        "gap",
        "gpu_features",
        "guess",
        "inflight",
        "kicks",
        "latest_run",
        "log",
        "memory",
        "memory_slots",
        "number",
        "opened",
        "owned_since",
        "phase",
        "postcopy",
        "programs",
        "protocol",
        "protocol_features",
        "queues",
        "rings",
        "rings_were_started",
        "running_rings",
        "shared_memory",
        "since_gap",
        "started_rings",
        "status",
        "time",
        "transferring_state",
        "used_rings",
        "waiting",
        "watched",
    )

    def __init__(self, number: int, protocol: Protocol, guess: DeviceGuess) -> None:
        self.number = number
        self.guess = guess
        self.watched = False
        self.phase = Phase.CONNECTED
        self.opened: int | None = None
        self.frame = 0
        self.time = 0
        self.answered = 0
        self.gap = False
        self.since_gap = False
        self.programs = ("", "")
        self.features = Negotiation()
        self.protocol_features = Negotiation()
        self.gpu_features = Negotiation()
        self.owned_since: int | None = None
        self.queues: int | None = None
        self.memory_slots: int | None = None
        self.memory = MemoryMap()
        self.rings: dict[int, Ring] = {}
        self.rings_were_started = False
        self.started_rings = 0
        self.running_rings = 0
        self.used_rings = 0
        self.latest_run = 0
        self.kicks: dict[str, int] = {}
        self.log: SharedFile | None = None
        self.inflight: SharedFile | None = None
        self.status: int | None = None
        self.config: bytes | None = None
        self.postcopy = Postcopy.NONE
        self.transferring_state: str = ""
        self.shared_memory: tuple[int, ...] | None = None
        self.waiting = tuple(Waiting() for _ in Channel)
        self._changes: list[Change | tuple[int, Move]] = []
        self.speak(protocol)

    def speak(self, protocol: Protocol) -> None:
        """Go by another dialect from now on."""
        self.protocol = protocol
        bits = protocol.protocol_features
        self._reply_ack = bits.known("REPLY_ACK")
        self._reply_all = bits.known("REPLY_ALL")
        self._must_run = bits.known("MUST_RUN")
        self._log_shmfd = bits.known("LOG_SHMFD")
        self._guest_addresses = bits.known("GPA_ADDRESSES")

    @property
    def changes(self) -> list[Change]:
        """What the latest message has changed."""
        return [
            entry if isinstance(entry, Change) else Change(f"ring {entry[0]}", entry[1].before, entry[1].after)
            for entry in self._changes
        ]

    def forget_changes(self) -> None:
        """The next message comes."""
        if self._changes:
            self._changes = []

    @property
    def from_start(self) -> bool:
        """Whether the negotiation cannot have been missed: its first message was seen, and none is missing since."""
        return self.opened is not None and not self.gap

    @property
    def whole(self) -> bool:
        """Whether it was seen from its beginning, so that what was never told was never said."""
        return (self.opened is not None or self.owned_since is not None) and not self.gap

    @property
    def knows_memory(self) -> bool:
        """Whether no region can have been missed."""
        return self.whole or self.memory.whole

    @property
    def most_rings(self) -> int | None:
        """How many rings the back-end can have, as far as it told.

        Network devices count pairs, and have a control queue beside them; so might a device whose type is not known.
        """
        if self.queues is None or self.guess.device not in (None, NET):
            return self.queues
        return 2 * self.queues + 1

    @property
    def first_started(self) -> Ring | None:
        """The first of the rings that are started; None where there is none."""
        if not self.started_rings:
            return None
        return next((ring for ring in self.rings.values() if ring.started is Started.STARTED), None)

    @property
    def uses_guest_addresses(self) -> bool:
        """Whether rings are told by guest addresses, not by those of the front-end's process."""
        return self.protocol_features.has(self._guest_addresses)

    @property
    def runs_on_order(self) -> bool:
        """Whether rings are started by message only, not by a kick."""
        return self.protocol_features.has(self._must_run)

    def owes_reply(self, row: Message, flags: int) -> bool:
        """Whether the rules demand an answer to this request, as things stand."""
        if row.answer is Answer.ALWAYS:
            return True
        if row.answer is Answer.NEVER:
            return False
        if row.answer is Answer.IF_LOG_SHMFD and self.protocol_features.has(self._log_shmfd):
            return True
        if row.answer is Answer.IF_POSTCOPY and self.postcopy is Postcopy.LISTENING:
            return True
        if row.answer is Answer.IF_REPLY_ALL and self.protocol_features.has(self._reply_all):
            return True
        return bool(flags & NEED_REPLY) and self.protocol_features.has(self._reply_ack)

    def lacks(self, feature: str) -> bool:
        """Whether a protocol feature is known not to be in force; never where its negotiation may have been missed."""
        if not self.from_start and self.protocol_features.acked is None:
            return False
        return not self.protocol_features.has(self.protocol.protocol_features.known(feature))

    def ring_address(self, address: int) -> Place | None:
        """Where an address of a ring lies; None for an IOVA and outside of all regions."""
        return None if self.features.has(_ACCESS_PLATFORM) else self.place(address)

    def place(self, address: int) -> Place | None:
        """Where a user address lies, or a guest address where those are spoken of instead."""
        if self.uses_guest_addresses:
            return self.memory.by_guest_address(address)
        return self.memory.by_user_address(address)

    def ring(self, index: int) -> Ring:
        """The ring of this index, which becomes known by being named."""
        ring = self.rings.get(index)
        if ring is None:
            ring = Ring(index)
            if self.features.acked is not None and not self.features.acked & _PROTOCOL_FEATURES:
                ring.order(Order.ENABLE_ALL)
            if len(self.rings) < _MOST_RINGS:
                self.rings[index] = ring
        return ring

    def give(self, ring: Ring, effect: Effect, slot: Slot) -> None:
        """Give a ring a descriptor."""
        if effect is Effect.SET_KICK and self.rings.get(ring.index) is ring:
            self.rings_were_started = True
            if ring.started is Started.STARTED:
                self._count_kick(ring.kick, -1)
                self._count_kick(slot.name, 1)
        ring.slots[effect] = slot

    def order_ring(self, ring: Ring, order: Order) -> None:
        """Give a ring an order, and let the connection follow."""
        self._order(ring, order, counted=self.rings.get(ring.index) is ring)
        if ring.started is Started.STARTED:
            self.step(Step.RING_STARTED)
        elif not self.started_rings:
            self.step(Step.RINGS_STOPPED)

    def order_all_rings(self, order: Order) -> None:
        """Give all rings an order."""
        followed = False
        for ring in self.rings.values():
            self._order(ring, order)
            # The phase follows the first of them that it depends on.
            if not followed and (ring.started is Started.STARTED or not self.started_rings):
                followed = True
                self.step(Step.RING_STARTED if ring.started is Started.STARTED else Step.RINGS_STOPPED)

    def _order(self, ring: Ring, order: Order, counted: bool = True) -> None:
        """Give a ring an order; one that is beyond those that are kept is not counted."""
        used, move = ring.runs_since > 0, ring.order(order, self.frame, self.time)
        if move is None:
            return
        self._changes.append((ring.index, move))
        if counted:
            self.running_rings += move.runs
            if move.runs > 0:
                self.used_rings += not used
                self.latest_run = self.frame
            if move.starts:
                self.started_rings += move.starts
                self._count_kick(ring.kick, move.starts)

    def _count_kick(self, name: str, change: int) -> None:
        count = self.kicks.get(name, 0) + change
        if count and name:
            self.kicks[name] = count
        else:
            self.kicks.pop(name, None)

    def step(self, step: Step) -> None:
        """Move the phase on."""
        after = PHASES.get((self.phase, step), self.phase)
        self.changed("connection", self.phase.value, after.value)
        self.phase = after

    def changed(self, subject: str, before: str, after: str) -> None:
        """Note a change for whoever shows what a message did; equal words are none."""
        if before != after:
            self._changes.append(Change(subject, before, after))

    def interrupt(self) -> None:
        """Messages were missed: what waits may have been answered, and what was not seen may have been said."""
        self.gap = True
        self.memory.whole = False
        self.waiting = tuple(Waiting() for _ in Channel)

    def close_channel(self, channel: Channel) -> tuple[Request, ...]:
        """Forget what waits on a channel; the requests that will now never get the answer that they are owed."""
        owed = self.waiting[channel].owed()
        self.waiting = tuple(Waiting() if other is channel else self.waiting[other] for other in Channel)
        return owed
