"""One case while it is played: the front-end's connections, what has passed on them, and what happens next."""

import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from vudissect.capture.record import Mark, Record
from vudissect.check.front_end.device import Offer, Servant, offer_for
from vudissect.check.front_end.session import Answer, RefusalError, ScriptedSession, Transmit, request_name
from vudissect.check.link import Incoming, LinkError
from vudissect.check.model import Behaviour
from vudissect.check.objects import Objects
from vudissect.check.outcome import Life
from vudissect.check.process import busy
from vudissect.check.program import Program
from vudissect.check.recorder import Recorder
from vudissect.check.reference.intake import HangUpError, Request
from vudissect.check.stage import DeviationError
from vudissect.conversation.text import Reader
from vudissect.host.inspect import inspect
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Device, Gate, PhaseNeeded, Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.session.state import State

_LOOK_EVERY = 0.01
_ACCEPT = 0.002
_WORKING = 0.5
# Under KVM the firmware may take seconds between two messages, now more and now less, and a processor of a guest never
# rests: that it works says nothing then, and that it is silent says little as long as nothing was done to it.
_PATIENT = 3
ENOUGH_REQUESTS = 100
LONGEST = 8
"""How many times as long as `Scene.quiet` one is served that never stops to do something."""
# A dirty log belongs to a migration, which comes whenever somebody wants it.
_ANY_TIME = {row.name for row in UPSTREAM.channel(Channel.MAIN) if row.purpose is Purpose.SET_LOG}
_GATES = {row.name: row.gate for row in UPSTREAM.channel(Channel.MAIN)}
_NO_GATE = Gate()
_STARTS = {row.name for row in UPSTREAM.channel(Channel.MAIN) if row.purpose is Purpose.SET_KICK}


class Happened(Enum):
    """What came next."""

    NOTHING = "nothing"
    SOMETHING = "a message"
    KICKED = "a kick"
    CONNECTED = "a connection"
    CLOSED = "the front-end closed the connection"


class Course(NamedTuple):
    """How far a front-end comes without a flaw: the messages that it sends, the requests that it makes in rings.

    `ends`: it ends by itself, with this status; -1 if it does not. `pause` is the longest time between two messages.
    `polls`: it always does something, or that is not known yet, so that its work says nothing about what is to come.
    """

    messages: tuple[str, ...] = ()
    requests: int = 0
    ends: int = -1
    pause: float = 0.0
    polls: bool = True

    def is_complete(self, sent: Iterable[str], requests: int, agreed: State) -> bool:
        """Whether a front-end has sent all that it can, and made all requests."""
        needed = {name for name in self.messages if name not in _ANY_TIME and _may_be_sent(name, agreed)}
        return bool(self.messages) and needed <= set(sent) and requests >= self.requests

    def is_resumed(self, sent: Iterable[str]) -> bool:
        """Whether it has started rings again after a reconnect, if it starts any: other things it may remember."""
        return bool(self.messages) and {*self.messages} & _STARTS <= set(sent)


def _may_be_sent(name: str, agreed: State) -> bool:
    """Whether what a message needs is agreed upon."""
    gate = _GATES.get(name, _NO_GATE)
    features = agreed.features
    word = (features.offered if gate.phase is PhaseNeeded.OFFERED else features.acked) or 0
    return all(map(agreed.has, gate.protocol)) and not VIRTIO_FEATURES.mask(*gate.virtio) & ~word


class Scene:
    """What a front-end meets. `sent` has the names of the messages that it has sent since it was started."""

    def __init__(self, program: Program, device: Device, timeout: float, course: Course) -> None:
        self.recorder = Recorder()
        self.timeout = timeout
        self.device = device
        self.offer: Offer = offer_for(device)
        self.servant = Servant(device)
        self.program = program
        self.clock = program.clock
        self.session: ScriptedSession | None = None
        self.connection = 0
        self.sent: list[str] = []
        self.course = course
        self.held: Request | None = None
        self.channel_answers: list[Incoming] = []
        self.channel_is_lost = False
        self.refused = False
        self.asked_to_end = False
        self.closed_by_us = False
        self.flawed = False
        """Whether the case has done what it is about: before that, the front-end does what it does without a flaw."""
        self.delay = 0.0
        self.delayed = 0
        self.pause = 0.0
        self._state = State(0, UPSTREAM)
        self._last = time.monotonic()
        self._wanted: frozenset[int] = frozenset()
        self._sent_before = 0
        self._objects = Objects()
        self._reader = Reader()
        self._reader.read(f"device {device.name}")

    # What happens

    def connect(self, deadline: float) -> bool:
        """Accept a connection of the front-end; whether there is one in time."""
        try:
            sock = self.program.connect(deadline)
        except OSError:
            return False
        self.connection += 1
        self._sent_before = len(self.sent)
        self.session = ScriptedSession(sock, self.device, self.servant, self.offer, self._arrived, self.transmit)
        self._hear(self.recorder.opened(self.connection, self.program.peer, Side.FRONT_END))
        return True

    @property
    def quiet(self) -> float:
        """After how many seconds of silence nothing more is expected."""
        return self.timeout + 2 * self.course.pause

    def has_stopped(self, last: float, began: float) -> bool:
        """Whether nothing more is to come from one that was heard at `last`: it is silent, and works on nothing."""
        now = time.monotonic()
        if now - began > LONGEST * self.quiet:
            return True
        silence = now - last
        if silence <= self.quiet:
            return False
        if self.course.polls and (self.flawed or silence > _PATIENT * self.quiet):
            return True
        return busy(self.program.pid, self.clock) <= _WORKING

    @property
    def sent_here(self) -> list[str]:
        """The names of the messages on the current connection, or the last one."""
        return self.sent[self._sent_before :]

    @property
    def has_come(self) -> bool:
        """Whether a front-end that does not end by itself has come as far as without a flaw."""
        if self.session is None or self.course.ends >= 0:
            return False
        return (bool(self._sent_before) and self.course.is_resumed(self.sent_here)) or self.has_done_all

    @property
    def has_done_all(self) -> bool:
        """Whether it has done all that it does without a flaw, on the current connection or the last one."""
        return self.course.is_complete(self.sent_here, self.servant.requests, self.agreed)

    def ensure_connected(self) -> None:
        """Accept the first connection, which is there since the front-end was started."""
        if not self.connection:
            self.connect(time.monotonic() + self.timeout)

    def step(self) -> Happened:
        """Let one thing happen, and answer it as it should be; `DeviationError` for what is not to be answered."""
        session = self.session
        if session is None:
            return Happened.CONNECTED if self.connect(time.monotonic() + _ACCEPT) else self._nothing()
        try:
            happened = self._serve(session)
        except HangUpError:
            self.hang_up(Side.FRONT_END)
            return Happened.CLOSED
        if self.is_active(happened):
            now = time.monotonic()
            self.pause = max(self.pause, now - self._last)
            self._last = now
        return happened

    def _serve(self, session: ScriptedSession) -> Happened:
        kicks = {ring.kick: ring for ring in session.device.rings if ring.kick >= 0 and not ring.broken}
        main = session.socket.fileno()
        channel = session.channel.socket.fileno() if session.channel is not None else -1
        more = any(ring.has_more for ring in session.device.rings)
        until = time.monotonic() + (_LOOK_EVERY if not more else 0)
        ready = self.clock.poll([fd for fd in (main, channel, *kicks) if fd >= 0], until)
        session.device.poll()
        for fd in ready:
            if fd in kicks:
                session.device.kicked(kicks[fd])
        if channel in ready:
            self._read_channel(session)
        if main in ready:
            session.serve()
        if main in ready or channel in ready:
            return Happened.SOMETHING
        return Happened.KICKED if ready or more else Happened.NOTHING

    def is_active(self, happened: Happened) -> bool:
        """Whether this shows that more is to come; a driver that makes requests without end does not."""
        if happened is Happened.KICKED:
            return self.servant.requests < ENOUGH_REQUESTS
        return happened is not Happened.NOTHING

    def _nothing(self) -> Happened:
        self.clock.sleep(_LOOK_EVERY)
        return Happened.NOTHING

    def wait_for(self, messages: Mapping[str, int]) -> None:
        """Hold the next of these messages until `answer`, `DeviationError` if none comes."""
        self._wanted = frozenset(messages.values())
        try:
            self._wait(" or ".join(messages))
        finally:
            self._wanted = frozenset()

    def _wait(self, what: str) -> None:
        began = quiet = time.monotonic()
        while self.held is None:
            happened = self.step()
            if self.is_active(happened):
                quiet = time.monotonic()
            if happened is Happened.CLOSED or self.ended:
                raise DeviationError(Behaviour.CLOSED, f"the front-end closed the connection before {what}")
            if self.has_stopped(quiet, began):
                seconds = time.monotonic() - began
                raise DeviationError(Behaviour.FAILED, f"{what} did not come within {seconds:.1f} s")

    @property
    def ended(self) -> bool:
        """Whether the process is over."""
        return self.program.life().life is not Life.ALIVE

    def answer(self, transmit: Transmit | None = None) -> None:
        """Carry out the message that is held; its answer goes to `transmit`, or to the front-end."""
        held, self.held = self.held, None
        if held is None or self.session is None:
            return
        self._answering = transmit
        try:
            self._carry_out(self.session, held)
        finally:
            self._answering = None

    _answering: Transmit | None = None

    def hang_up(self, by: Side = Side.BACK_END) -> None:
        """The connection ends."""
        session, self.session = self.session, None
        self.held = None
        self.closed_by_us = by is Side.BACK_END
        if session is not None:
            self._state = self.agreed
            session.close()
            self._hear(self.recorder.closed(self.connection, by))

    def ask_to_end(self) -> None:
        """Send SIGTERM, if it has not ended by itself."""
        self.asked_to_end = True
        if not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.program.pid, signal.SIGTERM)

    def close(self) -> None:
        """Close everything, at the end of the process."""
        self.hang_up(Side.FRONT_END)
        self._objects.close()

    # Messages

    def transmit(self, answer: Answer) -> None:
        """Send an answer, unless the case does something else with it; `LinkError`."""
        if self._answering is not None:
            self._answering(answer)
            return
        if self.delayed:
            self.delayed -= 1
            self.clock.sleep(self.delay)
        self.send(answer)

    def send_part(self, answer: Answer, size: int) -> None:
        """Send the first bytes of an answer; `LinkError`."""
        assert self.session is not None  # somebody asked
        marks = Mark.CUT_SHORT
        self._hear(self.recorder.message(self.connection, Channel.MAIN, Side.BACK_END, answer.data[:size], (), marks))
        self.session.write(answer.data[:size])

    def send(self, answer: Answer, piece: int = 0) -> None:
        """Send an answer; with `piece` 1 byte by byte, else the first `piece` bytes and the rest; `LinkError`."""
        assert self.session is not None  # somebody asked
        described = tuple(inspect(fd) for fd in answer.descriptors)
        self._hear(
            self.recorder.message(self.connection, Channel.MAIN, Side.BACK_END, answer.data, described),
        )
        whole = len(answer.data)
        ends = range(1, whole + 1) if piece == 1 else (piece, whole) if piece else (whole,)
        start = 0
        for end in ends:
            self.session.write(answer.data[start:end], answer.descriptors if not start else ())
            start = end
            if piece:
                self.session.link.await_reader(time.monotonic() + self.timeout)

    def say(self, line: str) -> None:
        """Send a message of the back-end, on either channel, in the words of a conversation."""
        self.pass_on(self._reader.compose(f"c{self.connection} {line}")[-1])

    def pass_on(self, record: Record) -> None:
        """Send a message of the back-end as it is, on either channel."""
        fds = tuple(self._objects.give(each) for each in record.descriptors)
        if record.channel is Channel.MAIN:
            self.send(Answer(record.data, fds))
            return
        session = self.session
        if session is None or session.channel is None:
            raise DeviationError(Behaviour.FAILED, "the front-end has not opened the channel of the back-end")
        described = tuple(inspect(fd) for fd in fds)
        marks = record.marks & Mark.CUT_SHORT
        self._hear(
            self.recorder.message(self.connection, Channel.BACKEND, Side.BACK_END, record.data, described, marks)
        )
        try:
            session.channel.send(record.data, fds, time.monotonic() + self.timeout)
        except LinkError as error:
            self._lose_channel(session)
            raise DeviationError(Behaviour.CLOSED, f"{error}: the channel") from None

    @property
    def channel_unread(self) -> bool:
        """Whether something was sent on the channel that the front-end has not read yet."""
        channel = self.session.channel if self.session is not None else None
        return channel is not None and channel.unread

    def close_channel(self) -> None:
        """Close our end of the channel."""
        if self.session is not None:
            self._lose_channel(self.session, Side.BACK_END)

    @property
    def agreed(self) -> State:
        """What both sides have agreed upon on the current connection, or the last one."""
        return self._reader.session.states.get(self.connection, self._state)

    def _arrived(self, request: Request) -> None:
        self.sent.append(request_name(request.number))
        described = tuple(inspect(fd) for fd in request.descriptors)
        self._hear(self.recorder.message(self.connection, Channel.MAIN, Side.FRONT_END, request.data, described))
        if request.number in self._wanted:
            self.held = request
            return
        assert self.session is not None  # it has read the message
        self._carry_out(self.session, request)

    def _carry_out(self, session: ScriptedSession, request: Request) -> None:
        before = session.channel
        try:
            session.carry_out(request)
        except RefusalError as refusal:
            # Whoever waits for an answer has to be freed.
            if refusal.answered:
                self.hang_up()
            self.refused = True
            raise DeviationError(Behaviour.FAILED, str(refusal)) from None
        if session.channel is not before:
            self._hear(self.recorder.channel_opened(self.connection, Channel.BACKEND))

    def _read_channel(self, session: ScriptedSession) -> None:
        channel = session.channel
        assert channel is not None  # it was waited for
        try:
            channel.read()
            while (incoming := channel.next()) is not None:
                self.channel_answers.append(incoming)
                record = self.recorder.message(self.connection, Channel.BACKEND, Side.FRONT_END, incoming.data)
                self._hear(record)
        except LinkError:
            self._lose_channel(session)

    def _lose_channel(self, session: ScriptedSession, by: Side = Side.FRONT_END) -> None:
        if session.channel is not None:
            session.channel.close()
            session.channel = None
            self.channel_is_lost = True
            self._hear(self.recorder.channel_closed(self.connection, Channel.BACKEND, by))

    def _hear(self, record: Record) -> None:
        self._reader.session.feed(record)
