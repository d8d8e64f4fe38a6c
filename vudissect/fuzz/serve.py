"""Plays a session with a front-end: a back-end that is right in all that the steps do not say otherwise."""

import time
from typing import NamedTuple

from vudissect.capture.record import RecordKind
from vudissect.check.front_end.scene import Course, Happened, Scene
from vudissect.check.link import LinkError
from vudissect.check.process import at_rest
from vudissect.check.program import Program
from vudissect.check.reference.intake import HangUpError
from vudissect.check.stage import DeviationError
from vudissect.fuzz.play import Session, state_word
from vudissect.fuzz.steps import SETTLE, HangUp, Message, Pause, Step, Steps, Wait
from vudissect.protocol.model import Channel, Device, Side

# After the last message.
_SETTLED = 0.1
# In which it may come as far.
_MOST_CONNECTIONS = 4
# To read a message.
_UNREAD = 0.02
# A front-end that did not send what was waited for so many times in a row is somewhere else, or waits itself.
_MOST_MISSED = 2


class Habit(NamedTuple):
    """What a front-end does without a flaw on a connection that is not its first one: the messages that it sends.

    `again` is how many seconds it may take until it makes one, 0 if it makes none.
    """

    messages: frozenset[str] = frozenset()
    again: float = 0.0


class FuzzScene(Scene):
    """A scene for a process that may have had others: `fresh` if it has not."""

    def __init__(
        self, program: Program, device: Device, timeout: float, course: Course, habit: Habit, *, fresh: bool = True
    ) -> None:
        super().__init__(program, device, timeout, course)
        self.habit = habit
        self._fresh = fresh

    @property
    def has_come(self) -> bool:
        """Whether the front-end has come as far as without a flaw on this connection."""
        resumed = (not self._fresh or self.connection > 1) and self.habit.messages <= set(self.sent_here)
        return self.session is not None and bool(self.sent_here) and (resumed or self.has_done_all)

    def has_stopped(self, last: float, began: float) -> bool:
        """See `Scene`: the same, or that it has done all that it does."""
        return (self.has_come and time.monotonic() - last > _SETTLED) or super().has_stopped(last, began)

    def settle(self, patience: float) -> bool:
        """Serve it as it should be; whether it comes as far as it does without a flaw, on this connection or another.

        `patience` is for the first message on a connection, and for another connection after it has closed one.
        """
        began = last = time.monotonic()
        latest = self.connection + _MOST_CONNECTIONS
        while not self.ended and self.connection <= latest:
            happened = self.step()
            now = time.monotonic()
            if self.is_active(happened):
                last = now
            if self.session is None or not self.sent_here:
                if now - last > patience:
                    return False
            elif self.has_stopped(last, began):
                return self.has_come
        return False


class Server:
    """Plays one session.

    With `careful`, it goes on only when the front-end has done with a step, so that it is known which one it does not
    survive.
    """

    def __init__(self, scene: FuzzScene, *, careful: bool = False) -> None:
        self._scene = scene
        self._careful = careful
        self._missed = 0
        self._asked: tuple[str, str] | None = None
        self._sent = 0
        self.session = Session()

    def play(self, steps: Steps) -> Session:
        """Play it as long as the front-end lives."""
        scene, session = self._scene, self.session
        for step in steps:
            self._try(step)
            if scene.ended:
                break
        if not scene.ended and scene.session is not None:
            self._try(SETTLE)
        self._note_outcome()
        session.connection = "open" if scene.session is not None else "closed"
        session.records = tuple(scene.recorder.records)
        session.last = self._last()
        return session

    def _last(self) -> str:
        """What we did last."""
        for record in reversed(self.session.records):
            if record.kind is RecordKind.MESSAGE and record.sender is Side.BACK_END:
                return Message(record.data, sender=Side.BACK_END, channel=record.channel).name
            if record.kind is RecordKind.CONNECTION_CLOSED and record.details.get("by") == Side.BACK_END.label:
                return "close"
        return ""

    def _try(self, step: Step) -> None:
        scene = self._scene
        try:
            if self._is_reached(step):
                self._do(step)
                if self._careful:
                    self._wait_for_reader()
        except DeviationError:
            # It sends what it may not send, or something else than what was waited for.
            self._missed += isinstance(step, Wait)
        except (HangUpError, LinkError):
            scene.hang_up(Side.FRONT_END)

    def _is_reached(self, step: Step) -> bool:
        """Whether a step is one for now: its connection is the one that is there, or comes."""
        scene = self._scene
        if isinstance(step, Pause):
            return scene.session is not None
        if not isinstance(step, Message | HangUp | Wait) or step.connection < scene.connection:
            return False
        deadline = time.monotonic() + max(scene.timeout, scene.habit.again)
        while scene.connection < step.connection and scene.session is None and not scene.ended:
            if scene.step() is Happened.CONNECTED:
                self._missed = 0
            elif time.monotonic() > deadline:
                return False
        return scene.session is not None and scene.connection == step.connection

    def _do(self, step: Step) -> None:
        scene, session = self._scene, self.session
        match step:
            case Wait():
                scene.answer()
                if self._missed < _MOST_MISSED:
                    scene.wait_for({step.name: step.message.number})
                    self._missed = 0
                    session.done.append(step)
            case Message():
                self._send(step)
            case HangUp():
                session.done.append(step)
                scene.hang_up()
            case Pause():
                if step == SETTLE:
                    session.done.append(step)
                    scene.answer()
                    scene.settle(scene.quiet)
                else:
                    session.done.append(step)
                    scene.answer(lambda answer: None)

    def _send(self, step: Message) -> None:
        scene = self._scene
        if step.channel is Channel.MAIN:
            # In place of the answer.
            scene.answer(lambda answer: None)
        elif scene.session is None or scene.session.channel is None:
            return
        self._note_outcome()
        self._asked, self._sent = (step.name, state_word(scene.agreed)), len(scene.sent)
        self.session.done.append(step)
        scene.pass_on(step.record)

    def _note_outcome(self) -> None:
        """What the front-end did after the message before."""
        scene, asked = self._scene, self._asked
        if asked is not None:
            after = scene.sent[self._sent :]
            outcome = after[0] if after else "nothing" if scene.session is not None else "closed"
            self.session.seen.add((*asked, outcome))
        self._asked = None

    def _wait_for_reader(self) -> None:
        scene = self._scene
        if scene.session is not None:
            soon = time.monotonic() + _UNREAD
            scene.session.link.await_reader(soon)
            if scene.session.channel is not None:
                scene.session.channel.await_reader(soon)
        at_rest(scene.program.pid, scene.clock)
