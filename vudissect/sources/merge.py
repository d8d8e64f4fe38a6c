"""Messages at the ends of channels to the records of a capture.

Where a log, or several, have both ends of a channel, a message is seen twice: sent at one, received at the other. That
is one record, which was forwarded when the other side received it. Otherwise the time of forwarding is unknown, and the
same as that of receipt.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.sources.ends import Closed, End, Item, Missed, Passed
from vudissect.sources.files import Process

_BEGINNINGS: Final = frozenset(
    row.id.to_bytes(4, "little")
    for row in UPSTREAM.channel(Channel.MAIN)
    if row.purpose in (Purpose.OFFER_FEATURES, Purpose.OFFER_PROTOCOL_FEATURES, Purpose.TAKE_OWNERSHIP)
)
_NOBODY: Final[Mapping[str, str | int]] = {}
# So many messages of one side are remembered until the other side has them.
_MOST_IN_FLIGHT: Final = 4096
# The length of a command name in the kernel.
_COMMAND: Final = 15


@dataclass(slots=True)
class _Draft:
    """A record that may still change."""

    record: Record
    item: Passed | None = None
    is_opening: bool = False


@dataclass(slots=True)
class _Connection:
    """A connection; one or both of its sides are in the logs."""

    number: int
    ends: dict[tuple[Channel, Side], End] = field(default_factory=dict)
    sequence: int = 0
    open: set[Channel] = field(default_factory=set)
    ended: set[Side] = field(default_factory=set)
    closing: Closed | None = None
    is_over: bool = False
    # By channel and sender: sent, and not received yet; received before they were sent.
    waiting: dict[tuple[Channel, Side], deque[_Draft]] = field(default_factory=dict)
    early: dict[tuple[Channel, Side], deque[_Draft]] = field(default_factory=dict)
    matched: set[tuple[Channel, Side]] = field(default_factory=set)

    @property
    def sides(self) -> frozenset[Side]:
        """The sides whose process is in a log."""
        return frozenset(side for channel, side in self.ends if channel is Channel.MAIN)


class Merger:
    """Makes records. `twins` are the ends at the other sides of connections, where inodes do not show them.

    `tracked`: the logs have the calls that end descriptors.
    """

    def __init__(self, source: str, *, tracked: bool, twins: Mapping[End, End] = {}) -> None:
        self._source = source
        self._twins = twins
        self._tracked = tracked
        self._connections: list[_Connection] = []
        self._by_end: dict[End, _Connection] = {}
        self._drafts: deque[_Draft] = deque()
        self._frame = 0

    def feed(self, item: Item) -> None:
        """Take in what happened at an end."""
        connection = self._connection(item.end, item.time)
        if connection is None or connection.is_over:
            return
        match item:
            case Passed():
                self._passed(connection, item)
            case Missed():
                reason = f"the log does not show {item.bytes} bytes, nor which messages they were"
                self._event(connection, RecordKind.GAP, item.end.channel, item.time, {"reason": reason})
            case Closed():
                self._closed(connection, item)

    def note(self, text: str, time: int) -> None:
        """Add a note to each connection that is open."""
        for connection in self._connections:
            if connection.closing is None:
                self._event(connection, RecordKind.NOTE, Channel.MAIN, time, {"text": text})

    def lose(self, reason: str, time: int) -> None:
        """Messages may be missing from each connection that is open."""
        for connection in self._connections:
            if not connection.is_over:
                connection.waiting.clear()
                connection.early.clear()
                connection.matched.clear()
                self._event(connection, RecordKind.GAP, Channel.MAIN, time, {"reason": reason})

    def records(self, before: int | None = None) -> Iterator[Record]:
        """The records up to a time (ns); all of them if it is None, when nothing follows any more."""
        for connection in self._connections:
            if connection.closing is not None and (before is None or connection.closing.time < before):
                self._finish(connection)
        while self._drafts and (before is None or self._drafts[0].record.received < before):
            draft = self._drafts.popleft()
            self._frame += 1
            record = draft.record
            if draft.is_opening:
                record = record._replace(details=self._opening(self._connections[record.connection - 1]))
            yield record._replace(frame=self._frame)

    def _connection(self, end: End, time: int) -> _Connection | None:
        connection = self._by_end.get(end)
        if connection is not None:
            return connection
        if end.channel is not Channel.MAIN:
            connection = self._by_end.get(end.opened_by) if end.opened_by is not None else None
            if connection is None:
                return None
        else:
            other = self._same_end(end) or self._other_end(end)
            connection = self._by_end[other] if other is not None else self._opened(end, time)
        connection.ends[end.channel, end.side] = end
        self._by_end[end] = connection
        return connection

    def _same_end(self, end: End) -> End | None:
        """The end that this one is: the threads of a process may each have a log (`strace -ff`)."""
        for connection in self._connections:
            known = connection.ends.get((Channel.MAIN, end.side))
            if known is not None and not connection.is_over and end.socket.inode == known.socket.inode != 0:
                return known
        return None

    def _other_end(self, end: End) -> End | None:
        twin = self._twins.get(end)
        if twin in self._by_end:
            return twin
        for connection in self._connections:
            other = connection.ends.get((Channel.MAIN, Side(1 - end.side)))
            if other is not None and not connection.is_over and are_joined(end, other):
                return other
        return None

    def _opened(self, end: End, time: int) -> _Connection:
        connection = _Connection(len(self._connections) + 1)
        self._connections.append(connection)
        self._event(connection, RecordKind.CONNECTION_OPENED, Channel.MAIN, time, _NOBODY)
        self._drafts[-1].is_opening = True
        if not (end.socket.is_new or end.first_data[:4] in _BEGINNINGS):
            reason = "recording began in the middle of the session"
            self._event(connection, RecordKind.GAP, Channel.MAIN, time, {"reason": reason})
            if end.process.about:
                text = f"the {end.side.label} {end.process.about}"
                self._event(connection, RecordKind.NOTE, Channel.MAIN, time, {"text": text})
        return connection

    def _opening(self, connection: _Connection) -> Mapping[str, str | int]:
        details: dict[str, str | int] = {}
        for side in (Side.FRONT_END, Side.BACK_END):
            end = connection.ends.get((Channel.MAIN, side))
            if end is not None:
                details |= _peer(end.process, side)
            elif (other := connection.ends.get((Channel.MAIN, Side(1 - side)))) is not None:
                details |= _prefixed(other.peer or {}, side)
        details["source"] = self._source
        sides = connection.sides
        if len(sides) == 1:
            (side,) = sides
            details["seen_by"] = side.label
        return details

    def _passed(self, connection: _Connection, item: Passed) -> None:
        key = item.end.channel, item.sender
        both = (item.end.channel, Side(1 - item.end.side)) in connection.ends
        if both and not item.is_sent and (draft := _found(connection.waiting.get(key), item)) is not None:
            connection.matched.add(key)
            draft.record = draft.record._replace(forwarded=max(item.time, draft.record.received))
            return
        if both and item.is_sent and _found(connection.early.get(key), item) is not None:
            return
        connection.sequence += 1
        draft = _Draft(self._message(connection, item), item)
        self._drafts.append(draft)
        seen = connection.waiting if item.is_sent else connection.early
        seen.setdefault(key, deque(maxlen=_MOST_IN_FLIGHT)).append(draft)
        channel = item.opens
        if channel is not None and item.message.files:
            self._event(connection, RecordKind.CHANNEL_OPENED, channel, item.time, {"by_sequence": connection.sequence})
            connection.open.add(channel)

    def _message(self, connection: _Connection, item: Passed) -> Record:
        message = item.message
        return Record(
            RecordKind.MESSAGE,
            connection.number,
            item.end.channel,
            item.sender,
            connection.sequence,
            item.time,
            item.time,
            item.time,
            message.length,
            message.data,
            Mark(message.marks),
            tuple(file.descriptor(self._tracked) for file in message.files),
        )

    def _closed(self, connection: _Connection, item: Closed) -> None:
        end = item.end
        if end.channel is not Channel.MAIN:
            if end.channel in connection.open:
                connection.open.discard(end.channel)
                details = {"by": item.by.label, "how": item.how}
                self._event(connection, RecordKind.CHANNEL_CLOSED, end.channel, item.time, details)
            return
        connection.closing = connection.closing or item
        connection.ended.add(end.side)
        if connection.ended >= connection.sides:
            self._finish(connection)

    def _finish(self, connection: _Connection) -> None:
        """The connection has ended for all sides that are in the logs."""
        item = connection.closing
        if item is None or connection.is_over:
            return
        for (channel, sender), drafts in connection.waiting.items():
            receiver = Side(1 - sender)
            # Before the first match, the log of the receiver may not have begun.
            if (channel, sender) in connection.matched and receiver in connection.ended:
                for draft in drafts:
                    record = draft.record
                    draft.record = record._replace(marks=record.marks | Mark.NOT_FORWARDED, forwarded=0)
        details = {"by": item.by.label, "how": item.how}
        for channel in sorted(connection.open):
            how = {"by": item.by.label, "how": "the main channel was closed"}
            self._event(connection, RecordKind.CHANNEL_CLOSED, channel, item.time, how)
        self._event(connection, RecordKind.CONNECTION_CLOSED, Channel.MAIN, item.time, details)
        connection.is_over = True

    def _event(
        self, connection: _Connection, kind: RecordKind, channel: Channel, time: int, details: Mapping[str, str | int]
    ) -> None:
        connection.sequence += 1
        time = max(time, self._drafts[-1].record.received if self._drafts else 0)
        record = Record(
            kind, connection.number, channel, Side.PROXY, connection.sequence, time, time, time, 0, b"", details=details
        )
        self._drafts.append(_Draft(record))


def are_joined(one: End, other: End) -> bool:
    """Whether two ends are of the same socket pair, according to their inodes."""
    first, second = one.socket, other.socket
    return bool(first.inode and second.inode) and (first.peer == second.inode or second.peer == first.inode)


def _found(drafts: deque[_Draft] | None, item: Passed) -> _Draft | None:
    """Remove the same message from those seen at the other end, and those before it: the order is the same."""
    for place, draft in enumerate(drafts or ()):
        if drafts is not None and draft.item is not None and is_same(draft.item, item):
            for _ in range(place + 1):
                drafts.popleft()
            return draft
    return None


def is_same(one: Passed, other: Passed) -> bool:
    """Whether two messages are equal up to where one of them is cut."""
    first, second = one.message, other.message
    known = min(len(first.data), len(second.data))
    return first.length == second.length and first.data[:known] == second.data[:known]


def _peer(process: Process, side: Side) -> dict[str, str | int]:
    prefix = side.label.replace("-", "_")
    details = _prefixed(process.details, side)
    if process.id and f"{prefix}_pid" not in details:
        details[f"{prefix}_pid"] = process.id
    if process.executable and f"{prefix}_command" not in details:
        details[f"{prefix}_command"] = process.executable.rpartition("/")[2][:_COMMAND]
        details[f"{prefix}_executable"] = process.executable
    return details


def _prefixed(details: Mapping[str, str | int], side: Side) -> dict[str, str | int]:
    prefix = side.label.replace("-", "_")
    return {f"{prefix}_{name}": value for name, value in details.items()}
