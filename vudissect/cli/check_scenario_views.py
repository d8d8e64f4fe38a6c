"""What `vudissect check --scenario` prints and writes: a line for each run, a summary, JSON and JUnit."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vudissect import __version__
from vudissect.analysis import analyse
from vudissect.capture.record import RecordKind
from vudissect.protocol.model import Side
from vudissect.render import junit
from vudissect.render.junit import junit_lines
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.render.units import printable
from vudissect.scenario.model import Outcome, Scenario, Step, Tried
from vudissect.scenario.pages import Results, Shown

_WIDTH = 79
_INDENT = 6
_MESSAGE = 32
_OUTCOME = max(map(len, Outcome))
_SIDES = (Side.FRONT_END, Side.BACK_END)
_FORMAT, _VERSION = "vudissect-scenarios", 1


@dataclass(slots=True)
class ScenarioRun:
    """What was tried so far. `commands` are the words of the programs, by `Side`; `began` is in ISO 8601."""

    commands: tuple[Sequence[str], Sequence[str]]
    options: Sequence[str]
    began: str
    steps: Sequence[Step] = ()
    played: list[tuple[Scenario, Sequence[Shown]]] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = True

    def results(self, captures: str | None) -> Results:
        """For pages; `captures` is where captures are, as a relative path."""
        return Results(self.commands, self.options, self.began, self.steps, self.played, captures)


def shown(tried: Tried) -> Shown:
    """A run with the transcript of its capture, one message a line, with findings."""
    analysis = analyse(tried.capture)
    transcript = Transcript(Style(False))
    lines: list[str] = []
    fault = 0
    for event, findings in analysis:
        if event.record.kind is RecordKind.FAULT and not fault:
            fault = len(lines) + 1
        lines += transcript.text(event, findings).splitlines()
    return Shown(tried, [*lines, *transcript.findings(analysis.finish()).splitlines()], fault)


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


def summary(scenario: Scenario, every: Sequence[Shown]) -> str:
    """One line to paste."""
    if not every:
        return f"{printable(scenario.name)}: not tried"
    count = Counter(shown.tried.outcome for shown in every)
    counts = ", ".join(f"{count[outcome]} {outcome}" for outcome in Outcome if count[outcome])
    return printable(f"{scenario.name}: {counts}")


def json_text(run: ScenarioRun, *, has_captures: bool) -> str:
    """Everything, as one object."""
    return (
        json.dumps(
            {
                "format": _FORMAT,
                "version": _VERSION,
                "vudissect": __version__,
                "front_end": list(map(printable, run.commands[Side.FRONT_END])),
                "back_end": list(map(printable, run.commands[Side.BACK_END])),
                "began": run.began,
                "seconds": round(run.seconds, 3),
                "complete": run.complete,
                "set_up": list(map(str, run.steps)),
                "scenarios": [
                    {
                        "name": printable(scenario.name),
                        "title": scenario.title,
                        "summary": summary(scenario, every),
                        "runs": [_run(shown, has_captures=has_captures) for shown in every],
                    }
                    for scenario, every in run.played
                ],
            },
            indent=1,
        )
        + "\n"
    )


def _run(shown: Shown, *, has_captures: bool) -> dict[str, object]:
    tried = shown.tried
    return {
        "message": tried.point.number or None,
        "at": tried.point.title,
        "faults": list(map(printable, tried.point.faults)),
        "outcome": str(tried.outcome),
        "why": printable(tried.why),
        "seconds": round(tried.seconds, 3) if tried.outcome is Outcome.WORKS else None,
        "rules": list(tried.rules),
        "capture": printable(tried.capture) if has_captures else None,
        "transcript": list(shown.transcript),
        "fault": shown.fault,
        "last_words": {side.label: list(map(printable, tried.output[side])) for side in _SIDES},
    }


def junit_text(run: ScenarioRun) -> bytes:
    """A JUnit report: a suite for each scenario, and a test for each of its runs."""
    suites = [junit.Suite(scenario.name, [_junit_case(shown) for shown in every]) for scenario, every in run.played]
    return "".join(junit_lines("vudissect check --scenario", suites)).encode()


def _junit_case(shown: Shown) -> junit.Case:
    tried = shown.tried
    failure = None
    if tried.outcome is not Outcome.WORKS:
        failure = junit.Failure(f"{tried.outcome}: {tried.why}", str(tried.outcome))
    about = [*(f"fault: {fault}" for fault in tried.point.faults), *shown.transcript]
    for side in _SIDES:
        about += [f"{side.label}: {line}" for line in tried.output[side]]
    name = f"{tried.point.number} {tried.point.title}" if tried.point.number else tried.point.title
    return junit.Case(name, failure, "\n".join(about), tried.seconds if failure is None else None)


def _indented(text: str) -> list[str]:
    indent = " " * _INDENT
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)
