"""One direction of one channel: what comes out of one socket goes into the other, and is put down for the record.

Back-pressure: what the target does not take waits here, never more than one read brought, and the source is not read
meanwhile. The other direction is another pump and goes on.
"""

import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from socket import MSG_CTRUNC, MSG_DONTWAIT
from time import monotonic_ns

from vudissect.capture.record import Mark
from vudissect.proxy.recorder import Flow, Message, Numbers, Recorder
from vudissect.proxy.rights import descriptors, only_rights
from vudissect.wire.framing import Framer, Piece, Rights, Trait
from vudissect.wire.header import HEADER_SIZE

READ_SIZE = 1 << 16

# How a peer has left; other errors are told as the system does.
EOF = "eof"
RESET = "reset"
STOPPED_READING = "stopped reading"
_REASONS = {errno.ECONNRESET: RESET, errno.EPIPE: STOPPED_READING}

# What a peer has sent when its counterpart is gone is still read, up to more than a socket buffer can hold.
_LAST_READS = 512

# Messages of a read are stamped and recorded in runs: fewer would cost more, more would blur the times.
_RUN = 32

# The kernel passes at most 253 descriptors with one sendmsg.
_MOST_DESCRIPTORS = 253
_CONTROL_SIZE = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)

# Sockets that were handed over share their blocking mode with their former owner, so that it is never changed;
# each call says for itself that it will not wait.
_MSG_CMSG_CLOEXEC = 0x4000_0000
_RECEIVE = _MSG_CMSG_CLOEXEC | MSG_DONTWAIT
_UNEVENTFUL = _MSG_CMSG_CLOEXEC

# Too many descriptors in flight, or no memory: no event tells when it is over.
_TRY_LATER = {errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM}

# By the bits of a piece's traits. Plain numbers, as arithmetic on enumerations is slow.
_MARKS = tuple(sum(int(Mark[str(trait.name)]) for trait in Trait if trait & bits) for bits in range(2 * max(Trait)))
_GLUED = int(Trait.GLUED)
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
    """A piece on its way: what of it is still to be sent, and with which descriptors."""

    piece: Piece
    data: memoryview
    rights: Rights
    handover: Handover | None = None


class Pump:
    """Moves messages from `source` to `target`.

    `ended` says how the source has come to its end and `broken` why the target takes nothing any more ("" while that
    is not so); `settle` is called when one of them, or `blocked`, may have changed. `stalled` means that no event
    will tell when the target can be tried again: `try_later` is called, and is to have `flush` called after a while.
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
        self._receive = source.recvmsg
        # What the last read has brought and is not forwarded yet:
        self._received = 0
        self._waiting: Iterator[bytes | Piece] = iter(())
        self._head: _Outgoing | None = None  # comes before all that is waiting
        self._traits = 0  # of the next message, if there is nothing else to say about it
        # The message that passes bit by bit:
        self._message: Message | None = None

    @property
    def blocked(self) -> bool:
        """Whether something waits for the target."""
        return self._head is not None

    def readable(self) -> bool:
        """Read once and forward what is complete; False if there was nothing to read."""
        try:
            data, rights, flags, _ = self._receive(READ_SIZE, _CONTROL_SIZE, _RECEIVE)
        except BlockingIOError:
            return False
        except OSError as error:
            self.end(_reason(error))
            return False
        self._received = monotonic_ns()
        if not data:
            self.end(EOF)
            return False
        lost = False
        if rights or flags != _UNEVENTFUL:
            rights = only_rights(rights)
            lost = bool(flags & MSG_CTRUNC)
        messages = self.framer.feed(data, rights, lost)
        self._account_for(len(messages), len(data), rights, lost)
        self._waiting = iter(messages)
        self._traits = 0
        self.flush()
        if self._head or self.broken:
            self._settle()
        return True

    def flush(self) -> None:
        """Forward what waits, as far as the target takes it."""
        self.stalled = False
        if self._head and not self._push(self._head):
            return
        if not self.broken:
            self._forward()
        if self.broken:
            for message in self._waiting:
                self._push(self._outgoing(message, 0))

    def _forward(self) -> None:
        """Send one message after the other, until the target does not take one; the short way of nearly all."""
        send = self._target.send
        passed: list[bytes] = []
        limit = _RUN if self._traits else 1  # the first of a read has other marks
        for message in self._waiting:
            sent = 0
            if type(message) is bytes:
                try:
                    sent = send(message, MSG_DONTWAIT)
                except OSError as error:
                    self._refused(error)
                if sent == len(message):
                    passed.append(message)
                    if len(passed) == limit:
                        self._put_down(passed)
                        passed, limit = [], _RUN
                    continue
            if passed:
                self._put_down(passed)
                passed = []
            if not self._push(self._outgoing(message, sent)) or self.broken:
                return
            limit = _RUN
        if passed:
            self._put_down(passed)

    def end(self, how: str) -> None:
        """The source gives nothing more; what is left of an incomplete message is forwarded as it is."""
        self.ended = how
        piece = self.framer.finish()
        if piece:
            self._waiting = chain(self._waiting, (piece,))
            self.flush()
        self._settle()

    def read_on(self) -> None:
        """Read all that is there, as long as the target takes it."""
        for _ in range(_LAST_READS):
            if self.blocked or self.ended or not self.readable():
                break

    def abandon(self) -> None:
        """Give up on the target; what the source has said up to now is recorded as not forwarded."""
        self.broken = self.broken or "closed"
        self.flush()
        self.read_on()
        if not self.ended:
            self.end("closed")

    def _outgoing(self, message: bytes | Piece, sent: int) -> _Outgoing:
        """A message that takes more than a call to forward, and of which `sent` bytes have left already."""
        piece = message if isinstance(message, Piece) else Piece(message, [], self._traits)
        self._traits = _GLUED
        handover = None
        is_message = piece.start and piece.end and len(piece.data) >= HEADER_SIZE
        if self._interpose and piece.rights and is_message and not self.broken:
            handover = self._interpose(self.framer.number(piece.data), piece.rights)
        rights = handover.rights if handover else piece.rights
        return _Outgoing(piece, memoryview(piece.data)[sent:], rights, handover)

    def _push(self, out: _Outgoing) -> bool:
        """Send a piece; False if it must wait for the target, with all that is behind it."""
        self._head = out
        while out.data and not self.broken:
            if self.stalled or not self._send_some(out):
                return False
        self._head = None
        self._passed(out)
        return True

    def _send_some(self, out: _Outgoing) -> bool:
        """Send what the target takes; False if that is nothing."""
        try:
            if out.rights:
                sent = self._target.sendmsg((out.data,), out.rights, MSG_DONTWAIT)
            else:
                sent = self._target.send(out.data, MSG_DONTWAIT)
        except OSError as error:
            if error.errno == errno.EINVAL and out.rights:
                # Gathered from several reads they may be too many for one message, and some cannot be passed on.
                out.rights = []
                out.piece = out.piece._replace(traits=out.piece.traits | Trait.DESCRIPTORS_LOST)
                self._recorder.lost_descriptors(self._flow)
                return True
            return self._refused(error)
        out.data = out.data[sent:]
        out.rights = []
        return True

    def _refused(self, error: OSError) -> bool:
        """The target has not taken something: True if it never will."""
        if error.errno in _TRY_LATER:
            self.stalled = True
            self._try_later()
        elif error.errno != errno.EAGAIN:
            self.broken = _reason(error)
        return bool(self.broken)

    def _put_down(self, messages: list[bytes]) -> None:
        """Record messages that have just left in a row."""
        flow = self._flow
        flow.totals.messages += len(messages)
        first = self._numbers.take(len(messages))
        marks = _MARKS[self._traits]
        self._traits = _GLUED
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
        message.marks |= _MARKS[piece.traits]
        message.forwarded = monotonic_ns()
        if self.broken:
            message.marks |= _NOT_FORWARDED
            message.forwarded = 0
            self.undelivered += len(out.data)
        if message.length < self._recorder.snaplen:
            message.data.append(piece.data[: self._recorder.snaplen - message.length])
        message.length += len(piece.data)
        message.rights += piece.rights
        if piece.end:
            self._flow.totals.messages += 1
            message.sequence = self._numbers.take()
            self._recorder.backlog.append(message)
            self._message = None
        else:
            # The end may be far.
            message.let_go()
        if out.handover:
            out.handover.done(message.sequence)

    def _account_for(self, messages: int, size: int, rights: Rights, lost: bool) -> None:
        count = len(descriptors(rights)) if rights else 0
        self._flow.totals.bytes += size
        self._flow.totals.descriptors += count
        self._recorder.weigh(messages, size, count)
        if lost:
            self._recorder.lost_descriptors(self._flow)


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)
