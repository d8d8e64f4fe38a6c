"""What an output format is, and what the commands print: events, findings, states, or the outcome of a replay.

The formats are in `vudissect/render/formats/`, and each of them is listed there once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from vudissect.render.style import Style

if TYPE_CHECKING:
    from vudissect.compare.outcome import Outcome
    from vudissect.lint.finding import Finding
    from vudissect.session.dialect import Verdict
    from vudissect.session.event import Event
    from vudissect.session.pairing import Pairing, Request
    from vudissect.session.state import State


class Syntax(Enum):
    """What the output as a whole has to be."""

    TEXT = "text without control characters"
    JSON_LINES = "one JSON object a line"
    XML = "one XML document"


class Option(StrEnum):
    """An option that not every format can honour, as it is written on the command line."""

    VERBOSE = "-v"
    NO_TIMES = "--no-times"


class Ending(NamedTuple):
    """What is known where a capture ends: what is wrong there, and what was never answered."""

    findings: "Sequence[Finding]"
    unanswered: "tuple[Request, ...]"


class Shown(NamedTuple):
    """The events of a capture. `ending` is there once they are all read; nothing is held back of a `live` capture."""

    judged: "Iterable[tuple[Event, Sequence[Finding]]]"
    ending: Callable[[], Ending]
    verdict: "Callable[[int], Verdict | None]"
    style: Style
    options: frozenset[Option] = frozenset()
    live: bool = False


class CaptureReport(NamedTuple):
    """What was found in the capture `file`, and what is wrong with the capture itself."""

    file: str
    findings: "Sequence[Finding]"
    withheld: dict[str, int]
    frames: int
    complaints: Sequence[str]


class Reported(NamedTuple):
    """The findings of one capture or `several`; `strict`: warnings fail as errors do.

    `usual`: infos that healthy sessions have, too, are wanted one by one.
    """

    captures: Iterable[CaptureReport]
    several: bool
    strict: bool
    style: Style
    usual: bool = False


class Replayed(NamedTuple):
    """What became of the replay of the capture `file`, and what is wrong with the capture itself."""

    outcome: "Outcome"
    file: str
    complaints: Sequence[str]
    style: Style


class ConnectionState(NamedTuple):
    """What is known of a connection: its state, what waits for an answer, and the verdict on its dialect."""

    state: "State"
    pairing: "Pairing"
    verdict: "Verdict | None"


class Stated(NamedTuple):
    """The connections of the capture `file` that are open after a frame (0: before the first one)."""

    file: str
    frame: int
    connections: Sequence[ConnectionState]


COMMANDS = {Shown: "show", Reported: "lint", Stated: "state", Replayed: "replay"}
"""The command that prints each of them."""

T = TypeVar("T", Shown, Reported, Replayed, Stated)


class Format(NamedTuple, Generic[T]):
    """One way to print what a command has to print.

    `renders` is what it is given, and `render` makes the output of it: whole lines, each with its newline, as early as
    they are known. `section` is the place of its description in docs/. What is not in `honours` is refused.
    """

    name: str
    renders: type[T]
    syntax: Syntax
    section: str
    render: Callable[[T], Iterator[str]]
    honours: frozenset[Option] = frozenset()


AnyFormat = Format[Any]
