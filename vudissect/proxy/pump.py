"""One direction of one channel: what comes out of one socket goes into the other, and is recorded.

Back-pressure: what the target does not take waits here, never more than one read brought, and the source is not read
meanwhile. The other direction is another pump and goes on. One exception: while too many descriptors are in flight,
those that wait in the source's socket count too, so that reading on is what ends it.
"""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from socket import MSG_DONTWAIT
from time import monotonic_ns

from vudissect.protocol.marks import Mark
from vudissect.proxy.recorder import Flow, Message, Numbers, Recorder
from vudissect.proxy.rights import descriptors
from vudissect.proxy.source import Source
from vudissect.wire.framing import Carried, Framer, Piece, Rights
from vudissect.wire.header import HEADER_SIZE

# How a peer has left; other errors are told as the system does.
EOF = "eof"
RESET = "reset"
STOPPED_READING = "stopped reading"
_REASONS = {errno.ECONNRESET: RESET, errno.EPIPE: STOPPED_READING}

# What a peer has sent when its counterpart is gone is still read, up to more than a socket buffer can hold.
_LAST_READS = 512

# Messages of a read are stamped and recorded in runs: fewer would cost more, more would blur the times.
_RUN = 32

# Bytes that are read on, while descriptors in flight keep the target from taking more.
_MOST_WAITING = 1 << 20

# Too many descriptors in flight, or no memory: no event tells when it is over.
_TRY_LATER = {errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM}

# Plain numbers, as arithmetic on enumerations is slow.
_GLUED = int(Mark.GLUED)
_DESCRIPTORS_LOST = int(Mark.DESCRIPTORS_LOST)
_NOT_FORWARDED = int(Mark.NOT_FORWARDED)


@dataclass(frozen=True, slots=True)
class Handover:
    """What is forwarded instead of a message's descriptors, and what is to be done once that has happened.

    `done` gets the sequence number of the message.
    """

    rights: Rights
    done: Callable[[int], None]


# Given the number of a message and its descriptors.
Interpose = Callable[[int, Rights], Handover | None]


@dataclass(slots=True)
class _Outgoing:
    """A piece on its way: how many bytes of it have left, and the descriptors that have not."""

    piece: Piece
    sent: int
    carried: list[Carried]
    handover: Handover | None = None


class Pump:
    """Moves messages from `source` to `target`.

    `ended` says how the source has come to its end and `broken` why the target takes nothing any more ("" while that
    is not so); `settle` is called when one of them, or `hungry`, may have changed. `stalled` means that no event
    will tell when the target can be tried again: `try_later` is called, and must have `flush` called after a while.
    """

    def __init__(
        self,
        flow: Flow,
        source: socket.socket,
        target: socket.socket,
        framer: Framer,
        recorder: Recorder,
        numbers: Numbers,
        settle: Callable[[], None],
        try_later: Callable[[], None],
        interpose: Interpose | None = None,
    ) -> None:
        self.ended = ""
        self.broken = ""
        self.stalled = False
        self.undelivered = 0
        self.framer = framer
        self._flow = flow
        self._recorder = recorder
        self._numbers = numbers
        self._settle = settle
        self._try_later = try_later
        self._interpose = interpose
        self._target = target
        self._source = Source(source, framer)
        # What has been read and is not forwarded yet:
        self._received = 0
        self._head: _Outgoing | None = None  # comes before all that is waiting
        self._waiting: list[bytes | Piece] = []
        self._waiting_bytes = 0  # read while the target was stalled
        self._marks = 0  # of the next message, if there is nothing else to say about it
        # The message that passes bit by bit:
        self._message: Message | None = None

    @property
    def blocked(self) -> bool:
        """Whether something waits for the target."""
        return self._head is not None

    @property
    def hungry(self) -> bool:
        """Whether the source is to be read."""
        if self.ended:
            return False
        if self._head is None:
            return True
        return self.stalled and self._waiting_bytes < _MOST_WAITING and not self._recorder.crowded

    def readable(self) -> bool:
        """Read what is there and forward what is complete; False if there was nothing to read."""
        try:
            data = self._source.plain()
            if data is None:
                return self._read_apart()
            if data:
                self._take(data)
                return True
        except BlockingIOError:
            return False
        except OSError as error:
            self.end(_reason(error))
            return False
        self.end(EOF)
        return False

    def _read_apart(self) -> bool:
        """Read message by message, on up to the descriptors that are there."""
        source, recorder = self._source, self._recorder
        any_read = False
        while self.hungry:
            if recorder.crowded:
                recorder.drain()
            try:
                data, rights, lost, together = source.apart(any_read)
            except BlockingIOError:
                break
            if not data:
                self.end(EOF)
                break
            any_read = True
            if rights:
                recorder.hold(descriptors(rights))
            if lost:
                recorder.lost_descriptors(self._flow)
            self._take(data, rights, lost, together)
            if self.framer.aligned and source.leave():
                break
        return any_read

    def _take(self, data: bytes, rights: Rights | None = None, lost: bool = False, together: bool = False) -> None:
        """Forward what one read has brought, after what waits already."""
        self._received = monotonic_ns()
        messages = self.framer.feed(data, rights, lost, together)
        self._flow.totals.bytes += len(data)
        self._recorder.weigh(len(messages), len(data))
        if self._head is None:
            self._marks = 0
            self._forward(messages)
        else:
            self._waiting_bytes += len(data)
            if messages and isinstance(messages[0], bytes):
                # It is not glued to what waits before it.
                messages[0] = Piece(messages[0])
            self._waiting += messages
        if self._head or self.broken:
            self._settle()

    def flush(self) -> None:
        """Forward what waits, up to where the target takes no more."""
        self.stalled = False
        if self._head and not self._push(self._head):
            return
        self._waiting_bytes = 0
        waiting, self._waiting = self._waiting, []
        self._forward(waiting)

    def _forward(self, messages: list[bytes | Piece]) -> None:
        """Send one message after the other, until the target does not take one; the short way of nearly all."""
        if self.broken:
            for message in messages:
                self._push(self._outgoing(message, 0))
            return
        send, rest = self._target.send, iter(messages)
        passed: list[bytes] = []
        limit = _RUN if self._marks else 1  # the first of a read has other marks
        for message in rest:
            sent = 0
            if type(message) is bytes:
                try:
                    sent = send(message, MSG_DONTWAIT)
                except OSError as error:
                    self._refused(error)
                if sent == len(message):
                    passed.append(message)
                    if len(passed) == limit:
                        self._record_run(passed)
                        passed, limit = [], _RUN
                    continue
            if passed:
                self._record_run(passed)
                passed = []
            if not self._push(self._outgoing(message, sent)):
                self._waiting.extend(rest)
                return
            if self.broken:
                self._forward(list(rest))
                return
            limit = _RUN
        if passed:
            self._record_run(passed)

    def end(self, how: str) -> None:
        """The source gives nothing more; what is left of an incomplete message is forwarded as it is."""
        self.ended = how
        piece = self.framer.finish()
        if piece:
            self._waiting.append(piece)
            self.flush()
        self._settle()

    def read_on(self) -> None:
        """Read all that is there, as long as the target takes it."""
        for _ in range(_LAST_READS):
            if not (self.hungry and self.readable()):
                break

    def abandon(self) -> None:
        """Give up on the target; what the source has sent up to now is recorded as not forwarded."""
        self.broken = self.broken or "closed"
        self.flush()
        self.read_on()
        if not self.ended:
            self.end("closed")

    def _outgoing(self, message: bytes | Piece, sent: int) -> _Outgoing:
        """A message that takes more than a call to forward, and of which `sent` bytes have left already."""
        piece = message if isinstance(message, Piece) else Piece(message, (), self._marks)
        self._marks = _GLUED
        carried, handover = piece.carried, None
        is_message = piece.start and piece.end and len(piece.data) >= HEADER_SIZE
        if self._interpose and carried and is_message and not self.broken:
            handover = self._interpose(self.framer.number(piece.data), _all_rights(piece))
            if handover:
                carried = (Carried(carried[0].offset, handover.rights),)
        return _Outgoing(piece, sent, list(carried), handover)

    def _push(self, out: _Outgoing) -> bool:
        """Send a piece; False if it must wait for the target, with all that comes after it."""
        self._head = out
        while out.sent < len(out.piece.data) and not self.broken:
            if self.stalled or not self._send_some(out):
                return False
        self._head = None
        self._passed(out)
        return True

    def _send_some(self, out: _Outgoing) -> bool:
        """Send up to the next descriptors, which leave with the byte they came with; False if nothing was taken."""
        data, carried = out.piece.data, out.carried
        rights: Rights = []
        end = len(data)
        if carried and carried[0].offset == out.sent:
            rights = carried[0].rights
            end = carried[1].offset if len(carried) > 1 else end
        elif carried:
            end = carried[0].offset
        part = memoryview(data)[out.sent : end] if out.sent or end < len(data) else data
        try:
            if rights:
                out.sent += self._target.sendmsg((part,), rights, MSG_DONTWAIT)
                del carried[0]
            else:
                out.sent += self._target.send(part, MSG_DONTWAIT)
        except OSError as error:
            if error.errno == errno.EINVAL and rights:
                # Some kinds of descriptors cannot be passed on.
                del carried[0]
                out.piece = out.piece._replace(marks=out.piece.marks | _DESCRIPTORS_LOST)
                self._recorder.lost_descriptors(self._flow)
                return True
            return self._refused(error)
        return True

    def _refused(self, error: OSError) -> bool:
        """The target has not taken something: True if it never will."""
        if error.errno in _TRY_LATER:
            self.stalled = True
            self._try_later()
        elif error.errno != errno.EAGAIN:
            self.broken = _reason(error)
        return bool(self.broken)

    def _record_run(self, messages: list[bytes]) -> None:
        """Record messages that have just left in a row."""
        flow = self._flow
        flow.totals.messages += len(messages)
        first = self._numbers.take(len(messages))
        marks = self._marks
        self._marks = _GLUED
        self._recorder.backlog.append(
            (flow.connection, flow.channel, flow.sender, first, self._received, monotonic_ns(), messages, marks)
        )

    def _passed(self, out: _Outgoing) -> None:
        """Record a piece that has left, or never will."""
        piece = out.piece
        if piece.start:
            self._message = Message(self._flow, self._received)
        message = self._message
        assert message is not None
        message.marks |= piece.marks
        message.forwarded = monotonic_ns()
        if self.broken:
            message.marks |= _NOT_FORWARDED
            message.forwarded = 0
            self.undelivered += len(piece.data) - out.sent
        if message.length < self._recorder.snaplen:
            message.data.append(piece.data[: self._recorder.snaplen - message.length])
        message.length += len(piece.data)
        message.rights += _all_rights(piece)
        if piece.end:
            message.sequence = self._numbers.take()
            self._recorder.backlog.append(message)
            self._message = None
        else:
            # The end may be far.
            message.let_go()
        if out.handover:
            out.handover.done(message.sequence)


def _all_rights(piece: Piece) -> Rights:
    return [item for carried in piece.carried for item in carried.rights]


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)
