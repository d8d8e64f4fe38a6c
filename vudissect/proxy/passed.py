"""What was forwarded, as the pump passes it to the recorder."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.rights import Keep, inspect_and_close
from vudissect.wire.framing import Rights


@dataclass(slots=True)
class Totals:
    """The traffic in one direction of one kind of channel, over all connections."""

    messages: int = 0
    bytes: int = 0
    descriptors: int = 0


@dataclass(slots=True)
class Numbering:
    """The sequence numbers of a connection, over all its channels."""

    connection: int
    last: int = 0

    def take(self, count: int = 1) -> int:
        """The first of `count` new numbers."""
        first = self.last + 1
        self.last += count
        return first


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of one channel of one connection: the context in which its messages are recorded."""

    numbering: Numbering
    channel: Channel
    sender: Side
    totals: Totals = field(default_factory=Totals)

    @property
    def connection(self) -> int:
        """The number of the connection."""
        return self.numbering.connection

    def __str__(self) -> str:
        return f"connection {self.connection}, {self.channel.label} channel, from the {self.sender.label}"


# Forwarded messages in a row without descriptors: flow, sequence of the first, received, forwarded, messages, marks.
# Times in ns, monotonic. A plain tuple, because one is made for nearly every message.
Run = tuple[Flow, int, int, int, list[bytes], int]


@dataclass(slots=True)
class Passed:
    """A message with more to record than a run: it is long, or has descriptors. Times in ns, monotonic.

    `data` is in parts, up to the snap length. The descriptors in `rights` must still be inspected and closed; those
    in `descriptors` have been.
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

    def inspect(self, keep: Keep | None = None) -> None:
        """Inspect the descriptors, and close those that nobody keeps."""
        self.descriptors += inspect_and_close(self.rights, keep)
        self.rights = []


def records_of(entry: Run | Passed) -> Iterator[Record]:
    """The records of messages whose descriptors were inspected; their time is `received`."""
    if isinstance(entry, Passed):
        flow, data = entry.flow, b"".join(entry.data)
        yield Record(
            RecordKind.MESSAGE,
            flow.connection,
            flow.channel,
            flow.sender,
            entry.sequence,
            entry.received,
            entry.forwarded,
            entry.received,
            entry.length,
            data,
            Mark(entry.marks),
            entry.descriptors,
        )
        return
    flow, first, received, forwarded, messages, marks = entry
    ends = flow.connection, flow.channel, flow.sender
    for sequence, data in enumerate(messages, first):
        times = received, forwarded, received
        yield Record(RecordKind.MESSAGE, *ends, sequence, *times, len(data), data, Mark(marks))
