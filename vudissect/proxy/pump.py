"""One direction of one channel: what comes out of one socket goes into the other, and is put down for the record.

Back-pressure: what the target does not take waits here, never more than one read brought, and the source is not read
meanwhile. The other direction is another pump and goes on.
"""

import errno
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from socket import MSG_CTRUNC, MSG_DONTWAIT
from time import monotonic_ns

from vudissect.capture.record import Mark
from vudissect.host.descriptor import Descriptor
from vudissect.proxy.recorder import Flow, Recorder, WithRights
from vudissect.proxy.rights import descriptors, inspect_and_close, only_rights
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
    received: int
    data: memoryview
    rights: Rights
    handover: Handover | None = None


@dataclass(slots=True)
class _Long:
    """A message that passes bit by bit: what is known of it so far."""

    sequence: int
    received: int
    length: int = 0
    marks: int = 0
    data: bytearray = field(default_factory=bytearray)
    descriptors: tuple[Descriptor, ...] = ()


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
        next_sequence: Callable[[], int],
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
        self._next_sequence = next_sequence
        self._settle = settle
        self._try_later = try_later
        self._interpose = interpose
        self._target = target
        self._receive = source.recvmsg
        self._pending: deque[_Outgoing] = deque()
        self._long: _Long | None = None

    @property
    def blocked(self) -> bool:
        """Whether something waits for the target."""
        return bool(self._pending)

    def readable(self) -> bool:
        """Read once and forward what is complete; False if there was nothing to read."""
        try:
            data, rights, flags, _ = self._receive(READ_SIZE, _CONTROL_SIZE, _RECEIVE)
        except BlockingIOError:
            return False
        except OSError as error:
            self.end(_reason(error))
            return False
        received = monotonic_ns()
        if not data:
            self.end(EOF)
            return False
        lost = False
        if rights or flags != _UNEVENTFUL:
            rights = only_rights(rights)
            lost = bool(flags & MSG_CTRUNC)
            self._account_for(rights, lost)
        self._recorder.weigh(len(data))
        pending, flow, totals, backlog = self._pending, self._flow, self._flow.totals, self._recorder.backlog
        connection, channel, sender = flow.connection, flow.channel, flow.sender
        send, next_sequence = self._target.send, self._next_sequence
        totals.bytes += len(data)
        traits = 0
        for message in self.framer.feed(data, rights, lost):
            if type(message) is not bytes or pending or self.broken:
                self._enqueue(message if isinstance(message, Piece) else Piece(message, [], traits), received)
            else:
                # The short way of nearly all messages; what is not sent here waits.
                try:
                    sent = send(message, MSG_DONTWAIT)
                except OSError as error:
                    self._refused(error)
                    sent = 0
                if sent == len(message):
                    backlog.append(
                        (
                            connection,
                            channel,
                            sender,
                            next_sequence(),
                            received,
                            monotonic_ns(),
                            message,
                            sent,
                            _MARKS[traits],
                        )
                    )
                    totals.messages += 1
                else:
                    pending.append(_Outgoing(Piece(message, [], traits), received, memoryview(message)[sent:], []))
            traits = _GLUED
        if pending:
            if not self.stalled:
                self.flush()
            if pending or self.broken:
                self._settle()
        return True

    def flush(self) -> None:
        """Forward what waits, as far as the target takes it."""
        self.stalled = False
        while self._pending:
            out = self._pending[0]
            if not self.broken and not self._push(out):
                return
            if self.broken or not out.data:
                self._pending.popleft()
                self._passed(out)

    def end(self, how: str) -> None:
        """The source gives nothing more; what is left of an incomplete message is forwarded as it is."""
        self.ended = how
        piece = self.framer.finish()
        if piece:
            self._enqueue(piece, monotonic_ns())
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

    def _enqueue(self, piece: Piece, received: int) -> None:
        handover = None
        if self._interpose and piece.rights and piece.end and len(piece.data) >= HEADER_SIZE and not self.broken:
            handover = self._interpose(self.framer.number(piece.data), piece.rights)
        rights = handover.rights if handover else piece.rights
        self._pending.append(_Outgoing(piece, received, memoryview(piece.data), rights, handover))

    def _push(self, out: _Outgoing) -> bool:
        """Send some of a piece; False if the target takes nothing now."""
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

    def _passed(self, out: _Outgoing) -> None:
        """Put down a piece that has left, or never will."""
        piece, marks, forwarded = out.piece, _MARKS[out.piece.traits], monotonic_ns()
        if self.broken:
            marks |= _NOT_FORWARDED
            forwarded = 0
            self.undelivered += len(out.data)
        if piece.start:
            self._flow.totals.messages += 1
            sequence = self._next_sequence()
        if piece.start and piece.end:
            entry = self._flow.entry(sequence, out.received, forwarded, piece.data, len(piece.data), marks)
            self._recorder.backlog.append(WithRights(entry, piece.rights) if piece.rights else entry)
        else:
            if piece.start:
                self._long = _Long(sequence, out.received)
            self._passed_some(piece, marks, forwarded)
        if out.handover:
            out.handover.done(sequence)

    def _passed_some(self, piece: Piece, marks: int, forwarded: int) -> None:
        """Put down one more part of a long message. Its descriptors are let go at once: the end may be far."""
        long = self._long
        assert long is not None
        long.length += len(piece.data)
        long.marks |= marks
        long.data += piece.data[: max(0, self._recorder.snaplen - len(long.data))]
        long.descriptors += inspect_and_close(piece.rights)
        if piece.end:
            entry = self._flow.entry(long.sequence, long.received, forwarded, bytes(long.data), long.length, long.marks)
            self._recorder.described(entry, long.descriptors)
            self._long = None

    def _account_for(self, rights: Rights, lost: bool) -> None:
        count = len(descriptors(rights))
        self._flow.totals.descriptors += count
        self._recorder.weigh(0, count)
        if lost:
            self._recorder.lost_descriptors(self._flow)


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)
