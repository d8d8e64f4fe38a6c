"""What `vudissect check --scenario` prints and writes: a line for each run, a summary, JSON."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vudissect.render.style import Style
from vudissect.render.units import printable
from vudissect.scenario.model import Outcome, Scenario, Step, Tried

_WIDTH = 79
_INDENT = 6
_MESSAGE = 32
_OUTCOME = max(map(len, Outcome))
_FORMAT, _VERSION = "vudissect-scenarios", 1


class Played(NamedTuple):
    """A scenario with its runs."""

    scenario: Scenario
    tried: Sequence[Tried]


def list_lines(scenarios: Sequence[Scenario]) -> Iterator[str]:
    """Each scenario with its title."""
    for scenario in scenarios:
        yield scenario.name
        yield from _indented(scenario.title)


def set_up_line(steps: Sequence[Step]) -> str:
    """What was seen without a fault."""
    return f"without a fault: rings run after {len(steps)} messages of the front-end"


def title(scenario: Scenario) -> str:
    """The line above its runs."""
    return "\n" + textwrap.fill(printable(f"{scenario.name}: {scenario.title}"), _WIDTH, subsequent_indent="  ")


def tried_lines(tried: Tried, style: Style) -> Iterator[str]:
    """A run: where the fault was, what came of it, how long that took; and why, where rings do not run again."""
    number = str(tried.point.number or "")
    outcome = f"{tried.outcome!s:{_OUTCOME}}"
    works = tried.outcome is Outcome.WORKS
    seconds = f"{tried.seconds:7.2f} s" if works else ""
    shown = outcome if works else style.bad(outcome)
    yield f"{number:>4}  {tried.point.title:{_MESSAGE}}  {shown}{seconds}".rstrip()
    if not works:
        rules = f" ({', '.join(tried.rules)})" if tried.rules else ""
        yield from _indented(printable(f"{tried.why}{rules}"))


def summary(played: Played) -> str:
    """One line to paste."""
    if not played.tried:
        return f"{printable(played.scenario.name)}: not tried"
    count = Counter(each.outcome for each in played.tried)
    counts = ", ".join(f"{count[outcome]} {outcome}" for outcome in Outcome if count[outcome])
    return printable(f"{played.scenario.name}: {counts}")


def json_text(steps: Sequence[Step], played: Sequence[Played], *, has_captures: bool, complete: bool) -> str:
    """Everything, as one object."""
    return (
        json.dumps(
            {
                "format": _FORMAT,
                "version": _VERSION,
                "complete": complete,
                "set_up": list(map(str, steps)),
                "scenarios": [
                    {
                        "name": printable(each.scenario.name),
                        "title": each.scenario.title,
                        "runs": [_run(tried, has_captures=has_captures) for tried in each.tried],
                    }
                    for each in played
                ],
            },
            indent=1,
        )
        + "\n"
    )


def _run(tried: Tried, *, has_captures: bool) -> dict[str, object]:
    return {
        "message": tried.point.number or None,
        "at": tried.point.title,
        "faults": list(map(printable, tried.point.faults)),
        "outcome": str(tried.outcome),
        "why": printable(tried.why),
        "seconds": round(tried.seconds, 3) if tried.outcome is Outcome.WORKS else None,
        "rules": list(tried.rules),
        "capture": printable(tried.capture) if has_captures else None,
    }


def _indented(text: str) -> list[str]:
    indent = " " * _INDENT
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)
