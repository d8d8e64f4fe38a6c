"""The logic of one direction of one channel, without sockets: events in, commands out.

`handle` accepts an event and returns the resulting commands. The last of them may be one that needs an
answer, which is the next event:

    Send       ->  Sent, Refused or Gone
    Interpose  ->  Interposed

Order: what was read is forwarded message by message, each piece of a message after the previous piece, and each
set of descriptors with the byte it came with. What the target does not accept is queued here, and nothing is sent until
`Retry`. Everything that was read is recorded, once it was forwarded or never will be.

Plain messages in large numbers are sent several at a time: the receiver cannot tell, because a stream has no
message boundaries, and a burst costs half as much. A few are sent one by one, as their sender wrote them.
"""

from dataclasses import dataclass
from typing import NamedTuple

from vudissect.protocol.marks import Mark
from vudissect.proxy.events import (
    Command,
    Ended,
    Event,
    Framed,
    Gone,
    HandedOver,
    Inspect,
    Interpose,
    Interposed,
    LostDescriptors,
    Read,
    Record,
    Refusal,
    Refused,
    Retry,
    Send,
    Sent,
)
from vudissect.proxy.passed import Flow, Passed
from vudissect.wire.framing import Carried, Framer, Piece, Rights
from vudissect.wire.header import HEADER_SIZE

# Plain messages in a row are sent and timestamped together if there are at least `_BURST`: up to `_RUN` of them, and up
# to as many bytes as the kernel puts into one buffer, so that all of them are sent or none.
_BURST = 16
_RUN = 32
_RUN_BYTES = 1 << 14

# Bytes that are still read while descriptors in flight keep the target from accepting more.
_MOST_WAITING = 1 << 20

# Plain numbers, because arithmetic on enumerations is slow.
_GLUED = int(Mark.GLUED)
_NOT_FORWARDED = int(Mark.NOT_FORWARDED)
_DESCRIPTORS_LOST = int(Mark.DESCRIPTORS_LOST)


@dataclass(slots=True)
class _OutgoingRun:
    """Plain messages being sent, all with one call."""

    messages: list[bytes]


@dataclass(slots=True)
class _OutgoingPiece:
    """A piece being sent: how many of its bytes were sent, and the descriptors that were not."""

    piece: Piece
    sent: int
    carried: list[Carried]
    offered: bool = False  # its descriptors were offered for interposing, or need not be
    replaced: bool = False


class _Arrival(NamedTuple):
    """In the queue, before what was read while the target was blocked: when that was (ns)."""

    time: int


class Direction:
    """The decisions about one direction.

    `ended` is how the source ended and `broken` why the target no longer accepts anything ("" while
    neither has happened). `idle`: a whole message can be sent at once, without asking here. Messages with descriptors
    whose number is in `interposed` are offered first.
    """

    def __init__(
        self, flow: Flow, framer: Framer, snaplen: int = 1 << 16, interposed: frozenset[int] = frozenset()
    ) -> None:
        self.flow = flow
        self.framer = framer
        self.ended = ""
        self.broken = ""
        self.undelivered = 0
        self.idle = False
        self.interposed = interposed
        self._is_held = False
        self._snaplen = snaplen
        self._commands: list[Command] = []
        # Read, but not forwarded yet:
        self._received = self._forwarded = 0
        self._head: _OutgoingRun | _OutgoingPiece | None = None  # comes before the queue
        self._waiting: list[bytes | Piece | _Arrival] = []
        self._next = 0  # the first that is still queued
        self._waiting_bytes = 0  # read since the target refused
        self._refused: Refusal | None = None
        self._marks = 0  # of the next plain message
        self._least = _BURST  # plain messages in a row that are sent together
        # The message that is passing in pieces:
        self._message: Passed | None = None

    @property
    def blocked(self) -> bool:
        """Whether anything is queued for the target."""
        return self._head is not None

    @property
    def stalled(self) -> bool:
        """Whether no event will report when the target can be tried again."""
        return self._refused is Refusal.LATER

    @property
    def hungry(self) -> bool:
        """Whether the source should be read.

        While too many descriptors are in flight, those in the source's socket count too: reading on is what
        resolves it.
        """
        if self.ended:
            return False
        return self._head is None or (self.stalled and self._waiting_bytes < _MOST_WAITING)

    def handle(self, event: Event) -> list[Command]:
        """The commands that follow from an event."""
        commands = self._commands = []
        match event:
            case Read():
                messages = self.framer.feed(event.data, event.rights, event.lost, event.together)
                self._read(messages, len(event.data), event.now)
            case Framed():
                self._least = 2 if event.at_once else _BURST
                size = sum(len(each.data if isinstance(each, Piece) else each) for each in event.messages)
                self._read(event.messages, size, event.now)
            case Sent():
                self._on_sent(event)
            case Refused():
                self._on_refusal(event.why)
            case Gone():
                self.broken = self.broken or event.how
            case Interposed():
                self._on_interposed(event.rights)
            case Retry():
                self._refused = None
            case Ended():
                self.ended = event.how
                piece = self.framer.finish()
                if piece:
                    self._waiting.append(piece)
        self._advance()
        self._set_idle()
        return commands

    def hold(self, held: bool) -> None:
        """Whether no message is sent without asking here, because others come before it elsewhere."""
        self._is_held = held
        self._set_idle()

    def _set_idle(self) -> None:
        is_open = not (self.broken or self.ended or self._is_held)
        self.idle = self._head is None and is_open and self.framer.plain

    def _read(self, messages: list[bytes | Piece], size: int, now: int) -> None:
        if self._head is None:
            self._received = now
            self._marks = 0
            self._waiting, self._next = [*messages], 0
            return
        self._waiting_bytes += size
        if messages and isinstance(messages[0], bytes):
            # It did not arrive together with what is queued.
            messages[0] = Piece(messages[0])
        self._waiting += (_Arrival(now), *messages)

    def _advance(self) -> None:
        """Continue until an answer is needed."""
        while True:
            if self._head is None:
                self._head = self._begin()
            head = self._head
            if head is None:
                self._waiting, self._next, self._waiting_bytes = [], 0, 0
                return
            if isinstance(head, _OutgoingRun):
                if not self.broken:
                    if self._refused is None:
                        self._commands.append(Send(b"".join(head.messages)))
                    return
                self.undelivered += sum(map(len, head.messages))
                self._record_run(head.messages)
            else:
                if not self.broken and not head.offered:
                    head.offered = True
                    piece = head.piece
                    self._commands.append(Interpose(self.framer.number(piece.data), all_rights(piece)))
                    return
                if not self.broken and head.sent < len(head.piece.data):
                    if self._refused is None:
                        self._send_part(head)
                    return
                self._passed(head)
            self._head = None

    def _begin(self) -> _OutgoingRun | _OutgoingPiece | None:
        """The next part of the queue to send."""
        waiting = self._waiting
        while self._next < len(waiting) and isinstance(arrival := waiting[self._next], _Arrival):
            self._received = arrival.time
            self._next += 1
        first = self._next
        if first == len(waiting):
            return None
        end, size = first, 0
        for message in waiting[first : first + _RUN]:
            if not isinstance(message, bytes) or size + len(message) > _RUN_BYTES:
                break
            size += len(message)
            end += 1
        if end - first < self._least:
            end = first + 1
        self._next = end
        message = waiting[first]
        if isinstance(message, Piece):
            self._marks = _GLUED
            return _OutgoingPiece(message, 0, list(message.carried), offered=not self._is_offered(message))
        return _OutgoingRun([message for message in waiting[first:end] if isinstance(message, bytes)])

    def _is_offered(self, piece: Piece) -> bool:
        """Whether the descriptors of a piece may be replaced: only those of a whole message."""
        if not (self.interposed and piece.carried and piece.start and piece.end and len(piece.data) >= HEADER_SIZE):
            return False
        return self.framer.number(piece.data) in self.interposed

    def _send_part(self, head: _OutgoingPiece) -> None:
        """Send up to the next descriptors."""
        data, carried = head.piece.data, head.carried
        rights: Rights = []
        end = len(data)
        if carried and carried[0].offset == head.sent:
            rights = carried[0].rights
            end = carried[1].offset if len(carried) > 1 else end
        elif carried:
            end = carried[0].offset
        part = memoryview(data)[head.sent : end] if head.sent or end < len(data) else data
        self._commands.append(Send(part, rights))

    def _on_sent(self, sent: Sent) -> None:
        self._forwarded = sent.now
        head = self._head
        if isinstance(head, _OutgoingPiece):
            if head.carried and head.carried[0].offset == head.sent:
                del head.carried[0]
            head.sent += sent.count
        elif head is not None:
            self._on_sent_run(head.messages, sent.count)

    def _on_sent_run(self, messages: list[bytes], count: int) -> None:
        """Record what was sent; queue the rest again, beginning with a message that was sent in part."""
        self._head = None
        whole = 0
        while whole < len(messages) and count >= len(messages[whole]):
            count -= len(messages[whole])
            whole += 1
        if whole:
            self._record_run(messages[:whole])
        self._next -= len(messages) - whole
        if count:
            self._head = _OutgoingPiece(Piece(messages[whole], (), self._marks), count, [], offered=True)
            self._marks = _GLUED
            self._next += 1

    def _on_refusal(self, why: Refusal) -> None:
        head = self._head
        if why is not Refusal.DESCRIPTORS:
            self._refused = why
        elif isinstance(head, _OutgoingPiece):
            del head.carried[0]
            head.piece = head.piece._replace(marks=head.piece.marks | _DESCRIPTORS_LOST)
            self._commands.append(LostDescriptors())

    def _on_interposed(self, rights: Rights | None) -> None:
        head = self._head
        if rights and isinstance(head, _OutgoingPiece):
            head.carried = [Carried(head.carried[0].offset, rights)]
            head.replaced = True

    def _record_run(self, messages: list[bytes]) -> None:
        """Record plain messages; the first of a read has other marks than the rest."""
        if not self._marks:
            self._record(messages[:1])
            messages = messages[1:]
        if messages:
            self._record(messages)

    def _record(self, messages: list[bytes]) -> None:
        first = self.flow.numbering.take(len(messages))
        forwarded, marks = (0, self._marks | _NOT_FORWARDED) if self.broken else (self._forwarded, self._marks)
        self._commands.append(Record((self.flow, first, self._received, forwarded, messages, marks)))
        self._marks = _GLUED

    def _passed(self, out: _OutgoingPiece) -> None:
        """Record a piece that was sent, or never will be."""
        piece = out.piece
        if piece.start:
            self._message = Passed(self.flow, self._received)
        message = self._message
        assert message is not None
        message.marks |= piece.marks
        message.forwarded = self._forwarded
        if self.broken:
            message.marks |= _NOT_FORWARDED
            message.forwarded = 0
            self.undelivered += len(piece.data) - out.sent
        if message.length < self._snaplen:
            message.data.append(piece.data[: self._snaplen - message.length])
        message.length += len(piece.data)
        message.rights += all_rights(piece)
        if piece.end:
            message.sequence = self.flow.numbering.take()
            self._commands.append(Record(message))
            self._message = None
        elif message.rights:
            self._commands.append(Inspect(message))
        if out.replaced:
            self._commands.append(HandedOver(message.sequence))


def all_rights(piece: Piece) -> Rights:
    """All descriptors of a piece."""
    return [item for carried in piece.carried for item in carried.rights]
