"""Moves the messages of one direction of one channel: carries out the decisions of `Direction` between two sockets.

Back-pressure: what the target does not accept is queued, at most one read of it, and the source is not read
meanwhile. The other direction is another pump and continues.

Nearly every read is one whole message with nothing queued before it. It is forwarded here, at once; everything else
goes through `Direction.handle`.
"""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from socket import MSG_DONTWAIT
from time import monotonic_ns

from vudissect.protocol.marks import Mark
from vudissect.proxy.direction import Direction
from vudissect.proxy.events import (
    Command,
    Ended,
    Event,
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
from vudissect.proxy.passed import Passed
from vudissect.proxy.recorder import HEAVY, Recorder
from vudissect.proxy.source import Source
from vudissect.wire.framing import Rights

# How a peer has closed the connection; other errors have the system's names.
EOF = "eof"
RESET = "reset"
STOPPED_READING = "stopped reading"
_REASONS = {errno.ECONNRESET: RESET, errno.EPIPE: STOPPED_READING}

# When its counterpart is gone, a peer is still read, up to more than a socket buffer can hold.
_LAST_READS = 512

# Too many descriptors in flight, or no memory: no event will report the end of that.
_LATER = {errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM}

# Plain numbers, because arithmetic on enumerations is slow.
_DONT_WAIT = int(MSG_DONTWAIT)
_GLUED = int(Mark.GLUED)


@dataclass(frozen=True, slots=True)
class Handover:
    """The descriptors to forward instead of a message's own, and a callback for when that has happened.

    `done` receives the sequence number of the message.
    """

    rights: Rights
    done: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Interposing:
    """The numbers of the messages whose descriptors may be replaced, and the function that decides."""

    numbers: frozenset[int]
    decide: Callable[[Interpose], Handover | None]


class Notice(Enum):
    """What the owner of a pump must know."""

    CHANGED = auto()  # it is blocked, or an end was reached: the wanted events have changed
    STALLED = auto()  # no event will report when the target can be tried again: call `flush` after a while


@dataclass(frozen=True, slots=True)
class Ends:
    """The sockets at the two ends of a direction."""

    source: socket.socket
    target: socket.socket


class Pump:
    """Moves messages from the source to the target. See `Direction` for `ended`, `broken` and the others."""

    def __init__(
        self,
        direction: Direction,
        ends: Ends,
        recorder: Recorder,
        notify: Callable[[Notice], None],
        interposing: Interposing | None = None,
    ) -> None:
        self.direction = direction
        self._recorder = recorder
        self._notify = notify
        self._interposing = interposing
        self._source = Source(ends.source, direction.framer)
        self._handover: Handover | None = None
        # How messages begin that are not forwarded before the direction has seen them.
        self._special: frozenset[bytes] = frozenset()
        # Bound here for the fast path.
        self._read_plain = self._source.plain
        self._is_one = direction.framer.is_one
        self._send = ends.target.send
        self._send_message = ends.target.sendmsg
        self._record = recorder.backlog.append
        self._flow, self._numbering = direction.flow, direction.flow.numbering

    @property
    def hungry(self) -> bool:
        """Whether the source should be read."""
        direction = self.direction
        return direction.hungry and not (direction.blocked and self._recorder.crowded)

    def readable(self) -> bool:
        """Read everything available and forward what is complete; False if there was nothing to read."""
        try:
            data = self._read_plain()
        except BlockingIOError:
            return False
        except OSError as error:
            self.end(reason(error))
            return False
        if not data:
            if data is None:
                return self._read_apart()
            self.end(EOF)
            return False
        received = monotonic_ns()
        size = len(data)
        if size >= HEAVY or not (self.direction.idle and self._is_one(data)) or data[:4] in self._special:
            self._take(Read(data, now=received))
            return True
        # As in `_forward`, but without a call: nearly every message takes this path.
        try:
            sent = self._send(data, _DONT_WAIT)
        except OSError as error:
            self._go_on(Read(data, now=received), self._refused(error))
            return True
        if sent == size:
            self._numbering.last = sequence = self._numbering.last + 1
            self._record((self._flow, sequence, received, monotonic_ns(), [data], 0))
        else:
            self._go_on(Read(data, now=received), Sent(sent, monotonic_ns()))
        return True

    def flush(self) -> None:
        """Forward what is queued, as much as the target accepts."""
        if self.direction.blocked:
            self._handle(Retry())

    def end(self, how: str) -> None:
        """The source has ended; the rest of an incomplete message is forwarded as it is."""
        self._handle(Ended(how))
        self._notify(Notice.CHANGED)

    def read_on(self) -> None:
        """Read everything available, as long as the target accepts it."""
        for _ in range(_LAST_READS):
            if not (self.hungry and self.readable()):
                break

    def abandon(self) -> None:
        """Give up on the target; what the source has sent so far is recorded as not forwarded."""
        self._handle(Gone("closed"))
        self.read_on()
        if not self.direction.ended:
            self.end("closed")

    def _read_apart(self) -> bool:
        """Read message by message, beyond the available descriptors."""
        source, recorder, direction = self._source, self._recorder, self.direction
        framer, is_one = direction.framer, self._is_one
        any_read = False
        while self.hungry:
            if recorder.crowded:
                recorder.drain()
            try:
                data, rights, lost, together = source.apart(any_read)
            except BlockingIOError:
                break
            except OSError as error:
                self.end(reason(error))
                break
            if not data:
                self.end(EOF)
                break
            any_read = True
            if rights:
                recorder.hold(rights)
            if lost:
                recorder.lost_descriptors(self._flow)
            elif (
                direction.idle
                and is_one(data)
                and data[:4] not in self._special
                and not (rights and framer.number(data) in direction.interposed)
            ):
                self._forward(data, rights, together)
                if source.leave():
                    break
                continue
            self._take(Read(data, rights, lost, together, monotonic_ns()))
            if framer.aligned and source.leave():
                break
        return any_read

    def _forward(self, data: bytes, rights: Rights, together: bool) -> None:
        """The fast path: a whole message with nothing queued before it."""
        received = monotonic_ns()
        try:
            sent = self._send_message((data,), rights, _DONT_WAIT) if rights else self._send(data, _DONT_WAIT)
        except OSError as error:
            self._go_on(Read(data, rights, False, together, received), self._refused(error, rights))
            return
        now = monotonic_ns()
        if sent < len(data):
            self._go_on(Read(data, rights, False, together, received), Sent(sent, now))
            return
        if sent >= HEAVY:
            self._recorder.weigh(sent // HEAVY)
        marks = _GLUED if together else 0
        self._numbering.last = sequence = self._numbering.last + 1
        if rights:
            self._record(Passed(self._flow, received, sequence, now, sent, marks, [data], rights))
        else:
            self._record((self._flow, sequence, received, now, [data], marks))

    def _go_on(self, read: Read, outcome: Event) -> None:
        """Leave a message to the direction; its first command would be to send it, which had this outcome."""
        self._recorder.weigh(len(read.data) // HEAVY)
        self.direction.handle(read)
        self._handle(outcome)

    def _take(self, read: Read) -> None:
        self._recorder.weigh(len(read.data) // HEAVY)
        self._handle(read)

    def _handle(self, event: Event) -> None:
        """Let the direction decide what to do, and do it."""
        direction = self.direction
        answer: Event | None = event
        while answer is not None:
            commands, answer = direction.handle(answer), None
            for command in commands:
                answer = self._carry_out(command)
        if direction.blocked or direction.broken:
            self._notify(Notice.CHANGED)

    def _carry_out(self, command: Command) -> Event | None:
        """Carry out a command of the direction; return the answer, if it needs one."""
        match command:
            case Send():
                return self._sent(command)
            case Record():
                self._record(command.entry)
                if isinstance(command.entry, tuple):
                    self._recorder.weigh(len(command.entry[4]) - 1)
            case Interpose():
                self._handover = self._interposing.decide(command) if self._interposing else None
                return Interposed(self._handover.rights if self._handover else None)
            case HandedOver():
                assert self._handover is not None
                self._handover.done(command.sequence)
                self._handover = None
            case Inspect():
                self._recorder.inspect(command.message)
            case LostDescriptors():
                self._recorder.lost_descriptors(self._flow)
        return None

    def _sent(self, send: Send) -> Event:
        try:
            if send.rights:
                count = self._send_message((send.data,), send.rights, _DONT_WAIT)
            else:
                count = self._send(send.data, _DONT_WAIT)
        except OSError as error:
            return self._refused(error, send.rights)
        return Sent(count, monotonic_ns())

    def _refused(self, error: OSError, rights: Rights | None = None) -> Event:
        """The event for an error of the target."""
        if error.errno in _LATER:
            self._notify(Notice.STALLED)
            return Refused(Refusal.LATER)
        if error.errno == errno.EAGAIN:
            return Refused(Refusal.FULL)
        if error.errno == errno.EINVAL and rights:
            # Some kinds of descriptors cannot be passed on.
            return Refused(Refusal.DESCRIPTORS)
        return Gone(reason(error))


def reason(error: OSError) -> str:
    """How a peer has closed the connection, by the error of its socket."""
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)
