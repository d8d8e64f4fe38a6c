"""A front-end as the target: sessions are played with it as a back-end."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from random import Random

from vudissect.capture.record import Record
from vudissect.check.fate import BUSY
from vudissect.check.front_end.runner import FrontEndRunner
from vudissect.check.link import LinkError
from vudissect.check.outcome import Fate, Life
from vudissect.check.process import busy, descriptors_of, memory_of, settled_descriptors, threads_of
from vudissect.check.program import Program
from vudissect.check.reference.intake import HangUpError
from vudissect.check.runner import Options
from vudissect.check.stage import DeviationError
from vudissect.fuzz.answer_mutations import derive
from vudissect.fuzz.coverage import Coverage
from vudissect.fuzz.play import Played
from vudissect.fuzz.seeds import seeds_of
from vudissect.fuzz.serve import FuzzScene, Habit, Server
from vudissect.fuzz.steps import SETTLE, HangUp, Steps, chained
from vudissect.fuzz.target import PATIENT, holds_more_than
from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.model import Side

# Seconds in which a front-end connects again that does so at all, and how many times longer it may take later.
_AGAIN_WITHIN, _LATER = 3.0, 3
_SILENT = "the front-end connects again after a hang-up, but sends nothing then: it is started for each session"
# In seconds, after all messages of a front-end that does what it does without a flaw.
_REST = 1.0
# At its descriptors.
_LOOKS = 10
# In seconds, for the first message on a connection, and for another one after the front-end has closed it.
_PATIENCE = 2.0
# So many seconds in a row, it must be busy to count as one that is stuck in a loop.
_SPINS = 5.0


class FrontEnd:
    """A front-end that sessions are played with.

    If it connects again after a hang-up, one process gets one session after another: between two of them, it has to
    come as far as it does without a flaw. Otherwise it is started for each session.
    """

    plays = Side.BACK_END
    forgets = False

    def __init__(self, program: Program, options: Options) -> None:
        self._program = program
        self._options = options
        self._device = options.device or BLK
        self._runner = FrontEndRunner(program, options)
        self._coverage = Coverage()
        program.environment |= self._coverage.environment
        self._seeds: list[Steps] = []
        self._habit = Habit()
        self._held = self._held_at_first = -1

    @property
    def _reconnects(self) -> bool:
        return bool(self._habit.messages)

    def discover(self) -> str:
        """See `Target`."""
        self._runner.discover()
        program = self._program
        program.start()
        scene = self._scene(max(self._options.timeout, _REST))
        try:
            scene.ensure_connected()
            self._comes(scene)
            self._seeds = [self.seed(scene.recorder.records)]
            if scene.ended or scene.session is None:
                return ""
            scene.hang_up()
            began = time.monotonic()
            if not self._connects(scene, _AGAIN_WITHIN):
                return ""
            again = max(_AGAIN_WITHIN, _LATER * (time.monotonic() - began))
            # Until it is silent, as it is not known yet how far it comes.
            scene.habit = Habit(frozenset({""}))
            self._comes(scene)
            if not scene.sent_here:
                return _SILENT
            self._habit = Habit(frozenset(scene.sent_here), again)
            self._held_at_first = descriptors_of(program.pid)
            self._seeds.append(self.seed(scene.recorder.records))
        finally:
            scene.close()
            program.stop()
        return ""

    def own_seeds(self) -> list[Steps]:
        """See `Target`."""
        return self._seeds

    def seed(self, records: Iterable[Record]) -> Steps:
        """See `Target`."""
        return seeds_of(records, plays=self.plays)

    def derive(self, steps: Steps, others: Sequence[Steps], random: Random) -> Steps:
        """See `Target`."""
        return derive(steps, others, random)

    def chain(self, sessions: Iterable[Steps]) -> Steps:
        """See `Target`."""
        return chained(sessions, (SETTLE, HangUp(by=self.plays)))

    def play(self, steps: Steps, *, fresh: bool = False, careful: bool = False) -> Played:
        """See `Target`."""
        program = self._program
        fresh = fresh or not self._reconnects or program.life().life is not Life.ALIVE
        if fresh:
            program.stop()
            self._held = self._held_at_first
        program.start()
        self._coverage.clear()
        written, memory, threads = program.written, self.memory, threads_of(program.pid)
        scene = self._scene(self._options.timeout * (PATIENT if careful else 1), fresh=fresh)
        try:
            session = Server(scene, careful=careful).play(steps)
            fate = self._fate(scene, session.connection)
        finally:
            scene.close()
        output, edges = program.output(since=written), self._coverage.edges()
        if fate.life is not Life.ALIVE or not fate.next_connection or fate.lost_descriptors:
            program.stop()
        self._held = fate.descriptors[1]
        # A thread has a stack, and may have a heap, which stay for the next one.
        comparable = fate.next_connection and threads_of(program.pid) <= threads
        return Played(session, fate, output, self.memory - memory if comparable else 0, edges)

    @property
    def memory(self) -> int:
        """See `Target`."""
        return memory_of(self._program.pid)

    def holds_more_than(self, most: int) -> bool:
        """See `Target`."""
        return holds_more_than(self._program, most)

    def stop(self) -> None:
        """See `Target`."""
        self._program.stop()

    def _scene(self, timeout: float, *, fresh: bool = True) -> FuzzScene:
        course = self._runner.normal.course
        return FuzzScene(self._program, self._device, timeout, course, self._habit, fresh=fresh)

    def _fate(self, scene: FuzzScene, connection: str) -> Fate:
        """What became of it once the connection is closed, and it is served as it should be from then on."""
        program, idle = self._program, self._runner.discovered.idle
        ended = program.life()
        if ended.life is not Life.ALIVE:
            return Fate(ended.life, ended.number, connection)
        scene.hang_up()
        sent = len(scene.sent)
        if self._reconnects and self._connects(scene, self._habit.again) and self._comes(scene):
            after = self._settled()
            life = Life.SPINNING if self._spins(idle) else Life.ALIVE
            return Fate(life, 0, connection, True, (self._held, after))
        speaks = len(scene.sent) > sent
        ended = self._runner.end(scene, idle)
        if ended.life is Life.ALIVE and self._reconnects and not speaks:
            return Fate(Life.HUNG, 0, connection, False)
        # With what was agreed upon before, it may have to refuse what is right.
        life = ended.life if ended.life is not Life.ALIVE else Life.UNKNOWN
        return Fate(life, ended.number, connection)

    def _connects(self, scene: FuzzScene, seconds: float) -> bool:
        """Whether it makes another connection in time."""
        deadline = time.monotonic() + seconds
        while scene.session is None and not scene.ended and time.monotonic() < deadline:
            scene.step()
        return scene.session is not None

    def _comes(self, scene: FuzzScene) -> bool:
        with suppress(DeviationError, LinkError, HangUpError):
            return scene.settle(_PATIENCE)
        return False

    def _settled(self) -> int:
        """How many descriptors it holds, once it has had time to close those that it needs no more."""
        program = self._program
        for _ in range(_LOOKS):
            if settled_descriptors(program.pid, self._held, program.clock) <= self._held:
                break
        return descriptors_of(program.pid)

    def _spins(self, idle: float) -> bool:
        """Whether it is busy, and stays so, though nothing is left to do."""
        deadline = time.monotonic() + _SPINS
        while busy(self._program.pid, self._program.clock) > BUSY > idle:
            if time.monotonic() > deadline:
                return True
        return False
