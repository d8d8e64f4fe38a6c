"""Scenarios as data: where in the set-up a fault is injected, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vudissect.protocol.model import Side

STORM = 5
"""How many sessions in a row end too early."""

_REQUESTS = "channel=main and from=front-end and kind=request"


@dataclass(frozen=True, slots=True)
class Step:
    """A message of the set-up: its name, and the rings that it is about."""

    name: str
    rings: tuple[int, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, *(f"ring {ring}" for ring in self.rings[:1])))

    @property
    def filter(self) -> str:
        """What finds it in any session."""
        return " and ".join((_REQUESTS, self.name, *(f"ring={ring}" for ring in self.rings[:1])))


@dataclass(frozen=True, slots=True)
class Point:
    """One run: its place in the set-up (from 1, 0 for none), what is there, and the faults, as on a command line.

    `refuses`: the next front-ends are not accepted, which is the second run at this place.
    """

    number: int
    title: str
    faults: tuple[str, ...]
    refuses: bool = False

    @property
    def suffix(self) -> str:
        """What follows the name of the scenario in the name of the run."""
        return (f"-{self.number}" if self.number else "") + ("-refused" if self.refuses else "")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`points` makes the runs from the messages of a set-up. `kills`: a side whose connection is closed is killed.

    `file` is where the faults are from, "" for a scenario of ours.
    """

    name: str
    title: str
    points: Callable[[Sequence[Step]], list[Point]]
    kills: bool = False
    file: str = ""

    @property
    def origin(self) -> str:
        """What names it on a command line."""
        return self.file or self.name


class Outcome(StrEnum):
    """What came of a fault."""

    WORKS = "works again"
    HUNG = "hung"
    CRASHED = "crashed"
    CLOSED = "closed"
    REFUSED = "next session refused"
    NOT_INJECTED = "not injected"


@dataclass(frozen=True, slots=True)
class Tried:
    """One run and its outcome. `seconds` is the time from the last fault until rings ran again, -1 if they did not.

    `name` is of no other run. `rules` are those that say how the peers coped; `capture` is the path of the capture, and
    `output` is the last that the programs wrote, by `Side`.
    """

    name: str
    point: Point
    outcome: Outcome
    why: str
    seconds: float
    rules: tuple[str, ...]
    capture: str
    output: tuple[tuple[str, ...], tuple[str, ...]]


def _at_each(side: Side, when: str) -> Callable[[Sequence[Step]], list[Point]]:
    def points(steps: Sequence[Step]) -> list[Point]:
        return [
            Point(number, str(step), (f"{_REQUESTS} : close {side.label}{when} ; after={number - 1} count=1",))
            for number, step in enumerate(steps, 1)
        ]

    return points


def _storm(steps: Sequence[Step]) -> list[Point]:
    """The connection is lost at the first message, in the middle and at the end of the set-up, and not accepted."""
    places = sorted({1, (len(steps) + 1) // 2, len(steps)})
    lost = [
        Point(place, str(steps[place - 1]), (f"{steps[place - 1].filter} : close back-end ; count={STORM}",))
        for place in places
    ]
    last = len(steps)
    refused = f"{steps[-1].filter} : close back-end, refuse {STORM} ; count=1"
    return [*lost, Point(last, f"{steps[-1]}, refused", (refused,), refuses=True)]


SCENARIOS = (
    Scenario(
        "kill-back-end",
        "the back-end is killed when a message of the set-up arrives, and started again",
        _at_each(Side.BACK_END, ""),
        kills=True,
    ),
    Scenario(
        "kill-front-end",
        "the front-end is killed when it has sent a message of the set-up, and started again",
        _at_each(Side.FRONT_END, " after"),
        kills=True,
    ),
    Scenario(
        "reconnect-storm",
        f"the connection is lost {STORM} times in a row, at the same message, or is not accepted",
        _storm,
    ),
)


def from_lines(name: str, lines: Sequence[str], file: str = "") -> Scenario:
    """A scenario with these faults, in one run."""
    return Scenario(name, "the faults of a file", lambda _: [Point(0, "the whole file", tuple(lines))], file=file)
