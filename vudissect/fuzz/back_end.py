"""A back-end as the target: sessions are played with it as a front-end."""

from collections.abc import Iterable, Sequence
from random import Random

from vudissect.capture.record import Record
from vudissect.check.fate import Watch
from vudissect.check.outcome import Life
from vudissect.check.process import descriptors_of, memory_of
from vudissect.check.program import Program
from vudissect.check.runner import Options, Runner
from vudissect.check.stage import Stage
from vudissect.fuzz.coverage import Coverage
from vudissect.fuzz.mutate import mutate
from vudissect.fuzz.play import Played, Player
from vudissect.fuzz.seeds import OWN, seeds_of
from vudissect.fuzz.steps import Steps, chained
from vudissect.fuzz.target import PATIENT, holds_more_than
from vudissect.protocol.model import Side


class BackEnd:
    """A back-end that sessions are played with; it is started again when it has ended."""

    plays = Side.FRONT_END
    forgets = True

    def __init__(self, program: Program, options: Options) -> None:
        self._program = program
        self._options = options
        self._runner = Runner(program, options)
        self._coverage = Coverage()
        program.environment |= self._coverage.environment

    def discover(self) -> str:
        """See `Target`."""
        self._runner.discover()
        return ""

    def own_seeds(self) -> list[Steps]:
        """See `Target`: what the conformance suite does with it."""
        return [self.seed(self._runner.run_one(case).records) for case in OWN]

    def seed(self, records: Iterable[Record]) -> Steps:
        """See `Target`: with the features that this back-end has."""
        return seeds_of(records, self._runner.discovered)

    def derive(self, steps: Steps, others: Sequence[Steps], random: Random) -> Steps:
        """See `Target`."""
        return mutate(steps, others, random)

    def chain(self, sessions: Iterable[Steps]) -> Steps:
        """See `Target`."""
        return chained(sessions)

    def play(self, steps: Steps, *, fresh: bool = False, careful: bool = False) -> Played:
        """See `Target`."""
        program, discovered = self._program, self._runner.discovered
        reconnects = "reconnect" in discovered.abilities
        if fresh or not reconnects:
            program.stop()
        program.start()
        self._coverage.clear()
        written, before = program.written, descriptors_of(program.pid)
        memory = self.memory
        device = self._options.device or discovered.device
        timeout = self._options.timeout * (PATIENT if careful else 1)
        stage = Stage(program, device, timeout)
        try:
            session = Player(stage, program if careful else None).play(steps)
        finally:
            stage.close()
        session.records = tuple(stage.recorder.records)
        fate = Watch(program, device, timeout, reconnects, discovered.idle).fate(
            session.connection, before, silent=session.silent
        )
        output, edges = program.output(since=written), self._coverage.edges()
        if fate.life is not Life.ALIVE or fate.next_connection is False or fate.lost_descriptors:
            program.stop()
        return Played(session, fate, output, self.memory - memory if fate.life is Life.ALIVE else 0, edges)

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
