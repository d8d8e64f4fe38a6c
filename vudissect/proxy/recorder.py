"""Recording off the path: what has passed waits in a list until there is time to inspect, encode and write it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic_ns

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import NO_DETAILS, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.host.limits import descriptor_limit, lowest_free_descriptor
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.rights import inspect_and_close
from vudissect.proxy.sink import Sink
from vudissect.proxy.voice import Repeated, Warn
from vudissect.wire.framing import Rights

# How much may wait: this many messages, or fewer when they are large or have descriptors.
_FULL = 512
_BYTES_AS_ONE = 2048
_DESCRIPTOR_AS_MESSAGES = 2

# Free descriptor numbers below which those that wait are closed at once: those of two messages, and some to spare.
_ROOM_FOR_DESCRIPTORS = 512

# Seconds without traffic after which records are written, and after which a slow reader is tried again.
_WRITE_AFTER = 0.001
_TRY_AGAIN_AFTER = 0.01


@dataclass(slots=True)
class Totals:
    """What has passed in one direction of one kind of channel, over all connections."""

    messages: int = 0
    bytes: int = 0
    descriptors: int = 0


# Messages without descriptors that passed in a row, as the encoder takes them:
# connection, channel, sender, sequence of the first, received, forwarded, messages, marks.
Run = tuple[int, Channel, Side, int, int, int, list[bytes], int]


@dataclass(slots=True)
class Numbers:
    """The sequence numbers of a connection, over all its channels."""

    last: int = 0

    def take(self, count: int = 1) -> int:
        """The first of as many new numbers."""
        first = self.last + 1
        self.last += count
        return first


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of one channel of one connection."""

    connection: int
    channel: Channel
    sender: Side
    totals: Totals

    def __str__(self) -> str:
        return f"connection {self.connection}, {self.channel.label} channel, from the {self.sender.label}"


@dataclass(slots=True)
class Message:
    """A message of which there is more to record: it is long, or has descriptors. Times in ns, monotonic.

    `data` is in parts. The descriptors in `rights` are still to be inspected and closed; those in `descriptors` have
    been.
    """

    flow: Flow
    received: int
    sequence: int = 0
    forwarded: int = 0
    length: int = 0
    marks: int = 0
    data: list[bytes] = field(default_factory=list)
    rights: Rights = field(default_factory=list)
    descriptors: tuple[Descriptor, ...] = ()

    def let_go(self) -> None:
        """Inspect and close the descriptors."""
        self.descriptors += inspect_and_close(self.rights)
        self.rights = []


class Recorder:
    """Keeps what has passed until there is a pause, or too much of it.

    `backlog` takes, without a call, messages in plain tuples, single messages, and events that are encoded already.
    `crowded`: so many descriptors are open that those that wait should be inspected now.
    """

    def __init__(self, encoder: CaptureEncoder, snaplen: int, warn: Warn) -> None:
        self.backlog: list[Run | Message | bytes] = []
        self.totals: defaultdict[tuple[Channel, Side], Totals] = defaultdict(Totals)
        self.snaplen = snaplen
        self.descriptors_lost = 0
        self.not_recorded = 0
        self.crowded = False
        limit = descriptor_limit()
        self._crowded_from = limit - min(_ROOM_FOR_DESCRIPTORS, limit // 2)
        self._encoder = encoder
        self._records: list[bytes] = []
        self._sinks: list[Sink] = []
        self._say_what_is_lost = Repeated(warn)
        self._warn = warn
        self._load = 0

    @property
    def full(self) -> bool:
        """Whether it is time to drain even though there is traffic."""
        return self._load >= _FULL

    @property
    def waiting(self) -> bool:
        """Whether something has passed that is not written yet."""
        return bool(self.backlog or self._records)

    @property
    def patience(self) -> float | None:
        """For how many seconds nothing must happen before it is time to `use_pause`; None: no need to."""
        if self.backlog:
            return 0.0
        if self._records:
            return _WRITE_AFTER
        return _TRY_AGAIN_AFTER if any(sink.unwritten for sink in self._sinks) else None

    def add_sink(self, sink: Sink) -> None:
        """Have everything from now on written there, too."""
        self._sinks.append(sink)

    def flow(self, connection: int, channel: Channel, sender: Side) -> Flow:
        """What the messages of one direction of a channel are recorded under."""
        return Flow(connection, channel, sender, self.totals[channel, sender])

    def weigh(self, messages: int, size: int) -> None:
        """Take note of how much has come, so as to be `full` in time."""
        self._load += messages + size // _BYTES_AS_ONE

    def hold(self, fds: list[int]) -> None:
        """Take note of descriptors that are open until they are inspected."""
        self._load += _DESCRIPTOR_AS_MESSAGES * len(fds)
        # The kernel gives out the lowest numbers that are free.
        if max(fds, default=0) >= self._crowded_from:
            self.crowded = True
            self._load += _FULL

    def lost_descriptors(self, flow: Flow) -> None:
        """The kernel has dropped or refused descriptors of a message: that must not go unseen."""
        self.descriptors_lost += 1
        self._say_what_is_lost(
            f"{flow}: descriptors of a message are LOST: probably too many open files (see ulimit -n)"
        )

    def event(
        self,
        kind: RecordKind,
        connection: int,
        channel: Channel,
        sequence: int,
        details: Mapping[str, str | int] = NO_DETAILS,
    ) -> None:
        """Put down an event of now."""
        self.backlog.append(self._encoder.event(kind, connection, channel, sequence, monotonic_ns(), details))

    def use_pause(self) -> None:
        """Do one step: prepare what has waited longest, or write when all is prepared.

        A peer takes longer to wake up than a step, so that this costs a conversation nothing, and descriptors are
        let go at once.
        """
        if self.backlog:
            self._prepare(self.backlog.pop(0))
        else:
            self._write()

    def drain(self) -> None:
        """Prepare and write everything."""
        backlog = self.backlog.copy()
        self.backlog.clear()
        for entry in backlog:
            self._prepare(entry)
        if self.crowded:
            self.crowded = lowest_free_descriptor() >= self._crowded_from
        self._write()

    def _prepare(self, entry: Run | Message | bytes) -> None:
        """Encode; inspect and close the descriptors. What goes wrong here is recorded, and never ends the relay."""
        try:
            self._encode(entry)
        except Exception as error:
            self._failed(entry, error)

    def _encode(self, entry: Run | Message | bytes) -> None:
        if isinstance(entry, tuple):
            self._records += self._encoder.messages(*entry)
        elif isinstance(entry, bytes):
            self._records.append(entry)
        else:
            self._records.append(self._encode_message(entry))

    def _failed(self, entry: Run | Message | bytes, error: Exception) -> None:
        """Count what could not be encoded, and put a note in its place."""
        count = len(entry[6]) if isinstance(entry, tuple) else 1
        self.not_recorded += count
        if self.not_recorded == count:
            self._warn(f"a message could not be recorded, the traffic goes on: {error!r}")
        details = {"text": f"{count} messages could not be recorded: {error!r}"}
        self._records.append(self._encoder.event(RecordKind.NOTE, 0, Channel.MAIN, 0, monotonic_ns(), details))

    def _write(self) -> None:
        records, self._records, self._load = self._records, [], 0
        for sink in self._sinks:
            sink.write(records)

    def _encode_message(self, message: Message) -> bytes:
        message.let_go()
        flow = message.flow
        flow.totals.messages += 1
        flow.totals.descriptors += len(message.descriptors)
        return self._encoder.message(
            flow.connection,
            flow.channel,
            flow.sender,
            message.sequence,
            message.received,
            message.forwarded,
            b"".join(message.data),
            message.length,
            message.marks,
            message.descriptors,
        )

    def close(self) -> None:
        """Drain, and end the sinks."""
        self.drain()
        for sink in self._sinks:
            sink.close()
