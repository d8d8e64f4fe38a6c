"""What the fuzzer needs of a program under test, whichever side it is."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Protocol

from vudissect.capture.record import Record
from vudissect.check.process import settled_descriptors
from vudissect.check.program import Program
from vudissect.fuzz.play import Played
from vudissect.fuzz.steps import Steps
from vudissect.protocol.model import Side

PATIENT = 2
"""How many times longer a careful player waits."""

_MOST_WAITS = 10


class Target(Protocol):
    """A program that sessions are played with; it is started again when it has ended."""

    plays: Side
    """The side that we are."""
    forgets: bool
    """Whether one that has had other sessions does the same as a new process, unless something is wrong with it."""

    def discover(self) -> str:
        """Find out what it is; a line about what cannot be tried with it, or "". `ProgramError`."""

    def own_seeds(self) -> list[Steps]:
        """Sessions in which nothing is wrong, played with it."""

    def seed(self, records: Iterable[Record]) -> Steps:
        """Our side of the session in a capture."""

    def derive(self, steps: Steps, others: Sequence[Steps], random: Random) -> Steps:
        """A session with one to a few changes; `others` are sessions to take parts from."""

    def chain(self, sessions: Iterable[Steps]) -> Steps:
        """Several sessions as one, each on connections of its own."""

    def play(self, steps: Steps, *, fresh: bool = False, careful: bool = False) -> Played:
        """Play one session; `ProgramError` if the program cannot be started.

        `fresh`: with a process of its own. `careful`: step by step, and with more patience.
        """

    @property
    def memory(self) -> int:
        """Bytes of its address space, -1 if that cannot be seen."""

    def holds_more_than(self, most: int) -> bool:
        """Whether it holds more descriptors, and goes on to do so for a while."""

    def stop(self) -> None:
        """End it; it is started again when it is needed."""


def holds_more_than(program: Program, most: int) -> bool:
    """Whether a program holds more descriptors, and goes on to do so for a while."""
    return all(settled_descriptors(program.pid, most, program.clock) > most for _ in range(_MOST_WAITS))
