"""A summary of a capture: how its connections ended, what was refused, which messages were sent.

Its size depends on a fixed number of closed connections and on the kinds of messages, not on the length of the capture.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.finding import Finding
from vudissect.protocol.model import Channel, Row, Side
from vudissect.session.event import Event, Kind, MessageEvent
from vudissect.session.pairing import Request
from vudissect.session.rings import Rings
from vudissect.session.session import Session

_MOST_ENDINGS = 256
_MOST_REFUSALS = 64
_MOST_FINDINGS = 2000
_FIRST_FRAMES = 3
# Numbers that are not in the table are kinds too.
_MOST_KINDS = 1024


class LastMessage(NamedTuple):
    """A message that was sent: its frame, when (ns), its name, and the ring that it is about."""

    frame: int
    time: int
    name: str
    row: Row
    ring: int | None

    @property
    def text(self) -> str:
        """By name and frame: `SET_VRING_KICK of ring 0 (#22)`."""
        return f"{self.name}{f' of ring {self.ring}' if self.ring is not None else ''} (#{self.frame})"


@dataclass(slots=True)
class Connection:
    """What is known of a connection: its programs, what each side sent last on the main channel, how it ended.

    Messages that did not reach the other side do not count as sent; `undelivered` is their number.
    `by` is the label of the side that closed it, "" while it is open; `frame` and `time` are those of its last record.
    """

    number: int
    programs: tuple[str, str] = ("", "")
    last: dict[Side, LastMessage] = field(default_factory=dict)
    frame: int = 0
    time: int = 0
    by: str = ""
    how: str = ""
    undelivered: int = 0
    waiting: tuple[Request, ...] = ()
    running: tuple[int, ...] = ()

    @property
    def is_notable(self) -> bool:
        """Whether it ended, or the capture ends, unexpectedly."""
        return bool(self.waiting or self.running)

    @property
    def last_message(self) -> LastMessage | None:
        """The last message on the main channel."""
        return max(self.last.values(), key=lambda message: message.frame, default=None)


class Refusal(NamedTuple):
    """An answer that reports a failure."""

    request: Request
    frame: int
    latency: int
    value: int


@dataclass(slots=True)
class Sent:
    """How often a message was sent as a request, and where: its first frames and its last; `row` is None if unknown."""

    name: str
    row: Row
    count: int = 0
    first: list[int] = field(default_factory=list)
    last: int = 0


class Evidence:
    """The evidence in a capture. Feed it every event with its findings, then the end."""

    def __init__(self) -> None:
        self.opened = 0
        self.ended: deque[Connection] = deque(maxlen=_MOST_ENDINGS)
        """The last connections that were closed."""
        self.forgotten = 0
        """How many were closed before them."""
        self.open: dict[int, Connection] = {}
        self.refusals: deque[Refusal] = deque(maxlen=_MOST_REFUSALS)
        self.sent: dict[tuple[Channel, str], Sent] = {}
        self.findings: list[Finding] = []

    def add(self, event: Event, findings: Sequence[Finding]) -> None:
        """Add an event and its findings."""
        self.findings += findings[: _MOST_FINDINGS - len(self.findings)]
        record = event.record
        connection = self.open.get(record.connection)
        if connection is None:
            connection = self.open[record.connection] = Connection(record.connection)
            self.opened += 1
        connection.frame, connection.time = record.frame, record.received
        if event.message is not None:
            self._message(event, connection)
        elif record.kind is RecordKind.CONNECTION_OPENED:
            connection.programs = event.after.programs
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            connection.by = str(record.details.get("by", "")) or "?"
            connection.how = str(record.details.get("how", ""))
            connection.waiting = event.unanswered
            connection.running = _running(event.before.rings)
            self.forgotten += len(self.ended) == self.ended.maxlen
            self.ended.append(self.open.pop(record.connection))

    def finish(self, findings: Iterable[Finding], session: Session) -> None:
        """Add the findings at the end of the capture, and the session, which knows what is still open."""
        self.findings += list(findings)[: _MOST_FINDINGS - len(self.findings)]
        for number, state in session.states.items():
            connection = self.open.get(number)
            if connection is not None:
                connection.waiting = session.pairing(number).owed()
                connection.running = _running(state.rings)

    def _message(self, event: MessageEvent, connection: Connection) -> None:
        record, message = event.record, event.message
        if record.marks & Mark.NOT_FORWARDED:
            connection.undelivered += 1
        elif record.channel is Channel.MAIN:
            ring = event.fields.get("index") if event.kind is not Kind.MALFORMED else None
            connection.last[record.sender] = LastMessage(
                record.frame, record.received, message.name, message.row, ring if isinstance(ring, int) else None
            )
        if not message.reply:
            self._count(record.channel, message.name, message.row, record.frame)
        layout = message.layout
        if message.reply and event.request is not None and layout.failure and message.values:
            value = message.values[0]
            if isinstance(value, int) and value & layout.failure:
                self.refusals.append(Refusal(event.request, record.frame, event.latency or 0, value))

    def _count(self, channel: Channel, name: str, row: Row, frame: int) -> None:
        sent = self.sent.get((channel, name))
        if sent is None:
            if len(self.sent) >= _MOST_KINDS:
                return
            sent = self.sent[channel, name] = Sent(name, row)
        sent.count += 1
        sent.last = frame
        if len(sent.first) < _FIRST_FRAMES:
            sent.first.append(frame)


def _running(rings: Rings) -> tuple[int, ...]:
    return tuple(ring.index for ring in rings.values() if ring.running)
