"""Recording off the path: what has passed waits in a list until there is time to inspect, encode and write it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic_ns

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import NO_DETAILS, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.proxy.rights import descriptors, inspect_and_close
from vudissect.proxy.sink import Sink, Warn
from vudissect.spec.model import Channel, Side
from vudissect.wire.framing import Piece, Rights

# How much may wait: this many messages, or fewer when they are large or have descriptors.
_FULL = 512
_BYTES_AS_ONE = 2048
_DESCRIPTOR_AS_MESSAGES = 2


@dataclass(slots=True)
class Totals:
    """What has passed in one direction of one kind of channel, over all connections."""

    messages: int = 0
    bytes: int = 0
    descriptors: int = 0

    def add(self, length: int, descriptors: int) -> None:
        """Count a message."""
        self.messages += 1
        self.bytes += length
        self.descriptors += descriptors


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of one channel of one connection."""

    connection: int
    channel: Channel
    sender: Side
    totals: Totals


@dataclass(slots=True)
class LongMessage:
    """A message that passes bit by bit: what is known of it so far."""

    flow: Flow
    sequence: int
    received: int
    data: bytearray = field(default_factory=bytearray)
    length: int = 0
    marks: int = 0
    descriptors: tuple[Descriptor, ...] = ()


# A message: flow, sequence, received, forwarded, bytes, marks, descriptors.
Entry = tuple[Flow, int, int, int, bytes, int, Rights | None]


class Recorder:
    """Keeps what has passed until `drain`. `backlog.append` takes an `Entry`, or bytes that are encoded already."""

    def __init__(self, encoder: CaptureEncoder, snaplen: int, warn: Warn) -> None:
        self.backlog: list[Entry | bytes] = []
        self.totals: defaultdict[tuple[Channel, Side], Totals] = defaultdict(Totals)
        self.descriptors_lost = 0
        self._encoder = encoder
        self._snaplen = snaplen
        self._sinks: list[Sink] = []
        self._warn = warn
        self._extra = 0

    @property
    def full(self) -> bool:
        """Whether it is time to drain even though there is traffic."""
        return len(self.backlog) + self._extra >= _FULL

    @property
    def unwritten(self) -> bool:
        """Whether a slow reader makes it worth draining again although nothing has passed."""
        return any(sink.unwritten for sink in self._sinks)

    def add_sink(self, sink: Sink) -> None:
        """Have everything from now on written there, too."""
        self._sinks.append(sink)

    def flow(self, connection: int, channel: Channel, sender: Side) -> Flow:
        """What the messages of one direction of a channel are recorded under."""
        return Flow(connection, channel, sender, self.totals[channel, sender])

    def weigh(self, size: int, rights: Rights) -> None:
        """Have the recorder drained earlier on account of a message that is large or has descriptors."""
        self._extra += size // _BYTES_AS_ONE + _DESCRIPTOR_AS_MESSAGES * len(descriptors(rights))

    def add_to_long(self, message: LongMessage, piece: Piece, marks: int, forwarded: int) -> None:
        """Put down one more piece of a message that passes bit by bit; its descriptors are closed at once."""
        message.length += len(piece.data)
        message.marks |= marks
        if len(message.data) < self._snaplen:
            message.data += piece.data[: self._snaplen - len(message.data)]
        message.descriptors += inspect_and_close(piece.rights)
        if piece.end:
            flow = message.flow
            flow.totals.add(message.length, len(message.descriptors))
            self.backlog.append(
                self._encoder.message(
                    flow.connection,
                    flow.channel,
                    flow.sender,
                    message.sequence,
                    message.received,
                    forwarded,
                    bytes(message.data),
                    message.length,
                    message.marks,
                    message.descriptors,
                )
            )

    def descriptors_were_lost(self, flow: Flow) -> None:
        """The kernel has dropped descriptors: that must not go unseen."""
        self.descriptors_lost += 1
        self._warn(
            f"connection {flow.connection}: descriptors of a message from the {flow.sender.label} ({flow.channel.label}"
            " channel) are lost: this process has too many open files (see ulimit -n)"
        )

    def event(
        self,
        kind: RecordKind,
        connection: int,
        channel: Channel,
        sequence: int,
        details: Mapping[str, str | int] = NO_DETAILS,
    ) -> None:
        """Record an event of now."""
        self.backlog.append(self._encoder.event(kind, connection, channel, sequence, monotonic_ns(), details))

    def drain(self) -> None:
        """Inspect and close the descriptors that wait, encode and write the messages."""
        encode = self._encoder.message
        records: list[bytes] = []
        for entry in self.backlog:
            if isinstance(entry, bytes):
                records.append(entry)
                continue
            flow, sequence, received, forwarded, data, marks, rights = entry
            described = inspect_and_close(rights) if rights else ()
            length = len(data)
            flow.totals.add(length, len(described))
            records.append(
                encode(
                    flow.connection,
                    flow.channel,
                    flow.sender,
                    sequence,
                    received,
                    forwarded,
                    data,
                    length,
                    marks,
                    described,
                )
            )
        self.backlog.clear()
        self._extra = 0
        for sink in self._sinks:
            sink.write(records)

    def close(self) -> None:
        """Drain, and end the sinks."""
        self.drain()
        for sink in self._sinks:
            sink.close()
