"""Recording off the path: what has passed waits in a list until there is time to inspect, encode and write it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic_ns

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import NO_DETAILS, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.proxy.rights import inspect_and_close
from vudissect.proxy.sink import Sink, Warn
from vudissect.spec.model import Channel, Side
from vudissect.wire.framing import Rights

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


# A message as the encoder takes it: connection, channel, sender, sequence, received, forwarded, data, length, marks.
Entry = tuple[int, Channel, Side, int, int, int, bytes, int, int]


@dataclass(frozen=True, slots=True)
class WithRights:
    """A message whose descriptors are still to be inspected and closed."""

    entry: Entry
    rights: Rights


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of one channel of one connection."""

    connection: int
    channel: Channel
    sender: Side
    totals: Totals

    def entry(self, sequence: int, received: int, forwarded: int, data: bytes, length: int, marks: int) -> Entry:
        """A message of this flow, for the backlog."""
        return self.connection, self.channel, self.sender, sequence, received, forwarded, data, length, marks

    def __str__(self) -> str:
        return f"connection {self.connection}, {self.channel.label} channel, from the {self.sender.label}"


class Recorder:
    """Keeps what has passed until `drain`.

    To `backlog` is appended, without a call: a message as a plain tuple, one with descriptors, or encoded bytes.
    """

    def __init__(self, encoder: CaptureEncoder, snaplen: int, warn: Warn) -> None:
        self.backlog: list[Entry | WithRights | bytes] = []
        self.totals: defaultdict[tuple[Channel, Side], Totals] = defaultdict(Totals)
        self.snaplen = snaplen
        self.descriptors_lost = 0
        self._encoder = encoder
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

    def weigh(self, size: int, descriptors: int = 0) -> None:
        """Be drained earlier on account of large messages, or of descriptors that wait."""
        self._extra += size // _BYTES_AS_ONE + _DESCRIPTOR_AS_MESSAGES * descriptors

    def lost_descriptors(self, flow: Flow) -> None:
        """The kernel has dropped or refused descriptors of a message: that must not go unseen."""
        self.descriptors_lost += 1
        self._warn(f"{flow}: descriptors of a message are LOST: probably too many open files (see ulimit -n)")

    def described(self, entry: Entry, descriptors: tuple[Descriptor, ...]) -> None:
        """Put down a message whose descriptors have been inspected already."""
        self.backlog.append(self._encoder.message(*entry, descriptors))

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

    def drain(self) -> None:
        """Inspect and close the descriptors that wait, encode and write the messages."""
        encode = self._encoder.message
        records: list[bytes] = []
        for entry in self.backlog:
            if isinstance(entry, tuple):
                records.append(encode(*entry))
            elif isinstance(entry, bytes):
                records.append(entry)
            else:
                records.append(encode(*entry.entry, inspect_and_close(entry.rights)))
        self.backlog.clear()
        self._extra = 0
        for sink in self._sinks:
            sink.write(records)

    def close(self) -> None:
        """Drain, and end the sinks."""
        self.drain()
        for sink in self._sinks:
            sink.close()
