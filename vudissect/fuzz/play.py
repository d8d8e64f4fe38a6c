"""Plays a session with a back-end, and watches what it does at each step."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from vudissect.capture.record import Record, RecordKind
from vudissect.check.link import LinkError
from vudissect.check.model import Behaviour
from vudissect.check.outcome import Fate, Life
from vudissect.check.process import at_rest
from vudissect.check.program import Program
from vudissect.check.stage import DeviationError, Sent, Stage
from vudissect.fuzz.coverage import Edges
from vudissect.fuzz.steps import Close, HangUp, Kick, Message, Pause, Send, Step, Steps, Write
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.session.state import State

_PAUSE = 0.01
# To read a message.
_UNREAD = 0.02
_MOST_OTHERS = 8
_MEMORY = (DescriptorKind.MEMFD, DescriptorKind.FILE)

Seen = tuple[str, str, str]
"""A message, the state in which it came, and what became of it."""


@dataclass(slots=True)
class Session:
    """What was done and seen; `last` is the step that the back-end had when it fell silent or closed."""

    done: list[Step | Record] = field(default_factory=list)
    """Steps, and what the back-end sent, in order."""
    records: tuple[Record, ...] = ()
    seen: set[Seen] = field(default_factory=set)
    last: str = ""
    silent: bool = False
    connection: str = "open"


class Played(NamedTuple):
    """A session, what became of the back-end, and what it wrote meanwhile; by how many bytes it grew.

    `edges` are those of its code that it passed, none if it does not show them.
    """

    session: Session
    fate: Fate
    output: str
    grown: int = 0
    edges: Edges = frozenset()


def state_word(state: State) -> str:
    """A state in so few words that there are not too many of them."""
    memory, rings = state.memory.regions, state.rings
    return ",".join(
        (
            state.phase.name.lower(),
            f"regions {min(len(memory), 3)}",
            f"rings {min(len(rings), 3)}/{min(rings.started, 2)}/{min(rings.enabled, 2)}",
            "acks" if state.has("REPLY_ACK") else "",
            "log" if state.log else "",
            "inflight" if state.inflight else "",
        )
    )


class Player:
    """Plays one session on a stage that nobody has used.

    With `careful`, it goes on only when the back-end has done with a step, so that it is known which one it does not
    survive.
    """

    def __init__(self, stage: Stage, careful: Program | None = None) -> None:
        self._stage = stage
        self._careful = careful
        self._open: set[int] = set()
        self._over: set[int] = set()
        self._heard = 0
        self.session = Session()

    def play(self, steps: Steps) -> Session:
        """Play it as far as the back-end lets us. `ProgramError` if it cannot be started."""
        session = self.session
        for step in steps:
            try:
                self._do(step)
                self._hear()
                if self._careful is not None and not self._survives(step, self._careful):
                    self._see_the_end()
                    break
            except DeviationError as deviation:
                self._hear()
                self._note(step, deviation.behaviour)
                if deviation.behaviour is Behaviour.SILENT:
                    session.silent = True
                    break
        # Those that are still open must answer, or close.
        if not session.silent and all(
            step.whole for step in steps if isinstance(step, Message) and step.channel is Channel.MAIN
        ):
            for connection in sorted(self._open - self._over):
                self._ask(connection)
        session.connection = self._stage.connection_fate
        return session

    def _hear(self) -> None:
        """Note what the back-end has sent since the last time."""
        records = self._stage.recorder.records
        self.session.done += [
            record
            for record in records[self._heard :]
            if (record.kind, record.channel, record.sender) == (RecordKind.MESSAGE, Channel.MAIN, Side.BACK_END)
        ]
        self._heard = len(records)

    def _survives(self, step: Step, program: Program) -> bool:
        if isinstance(step, Message) and (link := self._stage.links.get(step.connection)) is not None:
            link.await_reader(self._stage.soon(_UNREAD))
        at_rest(program.pid, self._stage.clock)
        return program.life().life is Life.ALIVE

    def _see_the_end(self) -> None:
        """Let the connection show what the end of the process did to it."""
        for connection in self._open:
            with suppress(DeviationError):
                while self._stage.answer(connection, self._stage.soon(_UNREAD)) is not None:
                    self._hear()
            self._over.add(connection)

    def _do(self, step: Step) -> None:
        stage, session = self._stage, self.session
        match step:
            case Message() if step.channel is not Channel.MAIN:
                session.done.append(step)
                stage.channels.answers.append(step.record)
            case Message():
                if step.connection in self._over:
                    return
                if step.connection not in self._open:
                    stage.connect(step.connection)
                    self._open.add(step.connection)
                session.last = step.name
                session.done.append(step)
                self._send(step)
            case Write():
                session.done.append(step)
                with suppress(OSError, ValueError):
                    contents = stage.objects.map(step.memory)
                    contents[step.offset : step.offset + len(step.data)] = step.data
            case Kick():
                session.last = step.name
                session.done.append(step)
                with suppress(OSError):
                    os.write(stage.objects.give(step.descriptor), (1).to_bytes(8, "little"))
                stage.clock.sleep(_PAUSE)
            case Pause():
                session.done.append(step)
                stage.channels.ignored += 1
            case Send():
                session.done.append(step)
                with suppress(OSError, LinkError):
                    self._write(step)
            case Close():
                session.last = step.name
                session.done.append(step)
                if step.descriptor.kind is DescriptorKind.SOCKET:
                    stage.channels.hang_up()
                else:
                    stage.objects.let_go(step.descriptor)
            case HangUp():
                if step.connection in self._open:
                    session.done.append(step)
                    stage.hang_up(step.connection)
                    self._open.discard(step.connection)
                    self._over.add(step.connection)

    def _write(self, step: Send) -> None:
        self.session.last = step.name
        if step.descriptor.kind is DescriptorKind.SOCKET:
            self._stage.channels.write(step.data)
        elif (end := self._stage.objects.other_end(step.descriptor)) is not None:
            os.write(end, step.data)

    def _send(self, step: Message) -> None:
        stage = self._stage
        before = state_word(stage.state(step.connection))
        sent = stage.send(step.record)
        behaviour = Behaviour.IGNORED
        if sent.owed and step.whole:
            behaviour = self._answer(sent)
        self.session.seen.add((step.name, before, str(behaviour)))

    def _answer(self, sent: Sent) -> Behaviour:
        """What is answered; answers to what nobody asked come before it where a change made the table wrong."""
        for _ in range(_MOST_OTHERS):
            answered = self._stage.answer(sent.connection)
            if answered is None:
                break
            if answered.message.id == sent.number:
                return self._stage.behaviour(sent, answered)
        raise DeviationError(Behaviour.SILENT, f"no answer to {sent.name}")

    def _ask(self, connection: int) -> None:
        stage = self._stage
        try:
            self._answer(stage.barrier(connection=connection))
        except DeviationError as deviation:
            if deviation.behaviour is Behaviour.SILENT:
                self.session.silent = True
            self.session.seen.add((self.session.last, "after all", str(deviation.behaviour)))

    def _note(self, step: Step, behaviour: Behaviour) -> None:
        connection = step.connection if isinstance(step, Message) else 1
        self.session.seen.add((step.name, "", str(behaviour)))
        if behaviour.ends_connection:
            self._over.add(connection)
