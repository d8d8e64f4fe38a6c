"""What an output format is, and what commands print: events, findings, states, or the outcome of a replay.

The formats are in `vudissect/render/formats/`, which lists each of them once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from vudissect.render.style import Style

if TYPE_CHECKING:
    from vudissect.compare.captures import Part
    from vudissect.compare.outcome import Outcome
    from vudissect.lint.finding import Finding
    from vudissect.session.dialect import Verdict
    from vudissect.session.event import Event
    from vudissect.session.pairing import Pairing, Request
    from vudissect.session.state import State
    from vudissect.summary.fleet import Counts
    from vudissect.summary.values import Summary
    from vudissect.timing.values import Migration, Times


class Syntax(Enum):
    """What the whole output must be."""

    TEXT = "text without control characters"
    JSON_LINES = "one JSON object per line"
    XML = "one XML document"


class Option(StrEnum):
    """An option that not every format supports, as written on the command line."""

    VERBOSE = "-v"
    NO_TIMES = "--no-times"
    SINCE_FIRST = "--since-first"


class Ending(NamedTuple):
    """What is known at the end of a capture: what is wrong there, and what was never answered."""

    findings: "Sequence[Finding]"
    unanswered: "tuple[Request, ...]"


class Shown(NamedTuple):
    """The events of a capture. `ending` is available after the last one; a `live` capture is never buffered."""

    judged: "Iterable[tuple[Event, Sequence[Finding]]]"
    ending: Callable[[], Ending]
    verdict: "Callable[[int], Verdict | None]"
    style: Style
    options: frozenset[Option] = frozenset()
    live: bool = False


class CaptureReport(NamedTuple):
    """The findings in the capture `file` but for so many `known` ones, and what is wrong with the capture itself."""

    file: str
    findings: "Sequence[Finding]"
    withheld: Mapping[str, int]
    messages: int
    complaints: Sequence[str]
    known: int = 0


class Reported(NamedTuple):
    """The findings of one capture or `several`; with `strict`, warnings count as failures.

    With `usual`, infos that healthy sessions also have are listed one by one.
    """

    captures: Iterable[CaptureReport]
    several: bool
    strict: bool
    style: Style
    usual: bool = False


class Counted(NamedTuple):
    """The findings of many captures by rule and pair. `counts` is available at the end."""

    counts: "Callable[[], Counts]"
    style: Style


class Replayed(NamedTuple):
    """The outcome of a replay of the capture `file`, and what is wrong with the capture itself."""

    outcome: "Outcome"
    file: str
    complaints: Sequence[str]
    style: Style


class ConnectionState(NamedTuple):
    """What is known of a connection: its state, the pending requests, and the verdict on its dialect."""

    state: "State"
    pairing: "Pairing"
    verdict: "Verdict | None"


class Stated(NamedTuple):
    """The connections of the capture `file` that are open after a frame (0: before the first one)."""

    file: str
    frame: int
    connections: Sequence[ConnectionState]


class Summarised(NamedTuple):
    """The summaries of one capture or `several`, for a screen of so many columns."""

    summaries: "Iterable[Summary]"
    several: bool
    style: Style
    width: int


class About(NamedTuple):
    """Something that a capture does not have, in words; or, if `injected`, the faults that were injected in it."""

    file: str
    text: str
    injected: bool = False


class Differing(NamedTuple):
    """What is different between the connections of two captures; `in_order` of the session instead of by cause."""

    parts: "Sequence[Part]"
    files: tuple[str, str]
    about: Sequence[About]
    style: Style
    in_order: bool


class Timed(NamedTuple):
    """How long what took in captures, and the migrations between them."""

    captures: "Sequence[Times]"
    migrations: "Sequence[Migration]"
    style: Style


COMMANDS: dict[type, str] = {
    Shown: "show",
    Summarised: "summary",
    Timed: "times",
    Reported: "lint",
    Counted: "lint --summary",
    Stated: "state",
    Replayed: "replay",
    Differing: "diff",
}
"""The command that prints each type."""

T = TypeVar("T", Shown, Summarised, Reported, Counted, Replayed, Stated, Differing, Timed)


class Format(NamedTuple, Generic[T]):
    """One way to print the result of a command.

    `render` turns a value of the type `renders` into output: whole lines, each with its newline, as early as
    possible. `section` is its section in docs/. Options that are not in `honours` are refused.
    """

    name: str
    renders: type[T]
    syntax: Syntax
    section: str
    render: Callable[[T], Iterator[str]]
    honours: frozenset[Option] = frozenset()


AnyFormat = Format[Any]
