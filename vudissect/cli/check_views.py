"""What `vudissect check` prints and writes: lines, a summary, JSON and JUnit."""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from vudissect import __version__
from vudissect.analysis import Analysis
from vudissect.check.discovery import Discovered
from vudissect.check.model import Case, Verdict
from vudissect.check.outcome import Result
from vudissect.check.results import FORMAT, VERSION, tally
from vudissect.protocol.devices import feature_names
from vudissect.protocol.dialects import dialect_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Device, Side
from vudissect.render import junit
from vudissect.render.junit import junit_lines
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.render.units import printable
from vudissect.render.wrap import wrapped

_WIDTH = 13
_DIALECT = dialect_by_name("upstream")
_LEFT_OUT = (Verdict.UNIMPLEMENTED, Verdict.SKIP)


class Run(NamedTuple):
    """A program with its results; `role` is the side that it is.

    Times in seconds: `starting` and `waiting` are the program's, `working` is processor time of ours.
    """

    role: Side
    name: str
    options: Sequence[str]
    command: Sequence[str]
    discovered: Discovered
    results: Sequence[Result]
    began: str
    seconds: float
    starting: float
    waiting: float
    working: float
    complete: bool = True
    version: str = ""


def result_lines(result: Result, style: Style) -> Iterator[str]:
    """A result: the verdict, what the case is, what was seen, and what is expected where something is wrong.

    And what our own side did wrong, if anything. Lines are wrapped at the width of the style.
    """
    verdict = f"{result.verdict!s:{_WIDTH}}"
    bad = result.verdict.is_failure()
    indent = " " * (len(result.case.id) + 2)
    below = f"{indent}{'':{_WIDTH}}  "
    lines = [f"{style.name(result.case.id)}  {style.bad(verdict) if bad else verdict}  {result.case.title}"]
    if result.verdict is not Verdict.PASS:
        changes = f"{result.changes}: " if result.changes else ""
        lines.append(f"{below}{printable(changes + result.why)}")
    if bad:
        lines.append(f"{below}expected: {result.case.expected}")
    if result.verdict is Verdict.CRASH and result.last_words:
        lines.append(f"{below}its last output: {printable(result.last_words[-1].strip())}")
    lines += [f"{indent}{style.bad('suite error'):{_WIDTH}}  {printable(error)}" for error in result.ours]
    for line in lines:
        yield from wrapped(line, style.width, len(below)).split("\n")


def summary(run: Run) -> str:
    """One line to paste."""
    early = "" if run.complete else " (interrupted)"
    return (
        f"{printable(f'{run.name} {run.version}'.rstrip())}: {tally(result.verdict for result in run.results)}{early}"
    )


def times(run: Run) -> str:
    """Whose time it was; what is left over was somebody else's on this machine."""
    return (
        f"{len(run.results)} cases in {run.seconds:.1f} s: {run.starting:.1f} s until the {run.role.label} was there,"
        f" {run.waiting:.1f} s waiting for it, {run.working:.1f} s of processor time for the suite"
    )


def list_lines(cases: Sequence[Case]) -> Iterator[str]:
    """Every case with its text."""
    for case in cases:
        yield f"{case.id}  {case.title}"
        yield f"        {case.expected}"
        yield f"        {', '.join((case.section, *case.rules))}"


class Conversation(NamedTuple):
    """A transcript, and which line of it decided, counted from 1; 0 if none did."""

    lines: list[str]
    deviation: int


def conversation_of(result: Result, device: Device | None = None) -> Conversation:
    """The conversation with a device of this type, one message a line, with findings."""
    analysis = Analysis(result.records, device=device, dialect=_DIALECT)
    transcript = Transcript(Style(False))
    lines: list[str] = []
    deviation = 0
    for event, findings in analysis:
        if event.record.frame == result.played.frame and result.verdict is not Verdict.PASS:
            deviation = len(lines) + 1
        lines += transcript.text(event, findings).splitlines()
    return Conversation(lines + transcript.findings(analysis.finish()).splitlines(), deviation)


def run_again(run: Run, result: Result, *more: str) -> str:
    """The command that plays only this case, with more options."""
    only = ("--only", result.case.id, *more)
    return shlex.join(["vudissect", "check", *run.options, *only, *(("--", *run.command) if run.command else ())])


def json_text(run: Run) -> str:
    """Everything that a page needs, as one object."""
    return json.dumps(_object(run), indent=1) + "\n"


def _object(run: Run) -> dict[str, Any]:
    found = run.discovered
    count = Counter(str(result.verdict) for result in run.results)
    return {
        "format": FORMAT,
        "version": VERSION,
        "vudissect": __version__,
        "peer": {"role": run.role.label, "name": printable(run.name), "version": printable(run.version)},
        "command": [printable(word) for word in run.command],
        "began": run.began,
        "complete": run.complete,
        "seconds": round(run.seconds, 3),
        "starting": round(run.starting, 3),
        "waiting": round(run.waiting, 3),
        "working": round(run.working, 3),
        "summary": summary(run),
        "counts": {str(verdict): count[str(verdict)] for verdict in Verdict},
        "device": found.device.name if found.device is not None else None,
        "features": list(feature_names(found.device, found.features)),
        "protocol_features": list(PROTOCOL_FEATURES.names(found.protocol_features)),
        "queues": found.queues,
        "memory_slots": found.slots,
        "config": found.config.hex(),
        "abilities": sorted(found.abilities),
        "cases": [_case_object(run, result) for result in run.results],
    }


def _case_object(run: Run, result: Result) -> dict[str, Any]:
    talked = conversation_of(result, run.discovered.device)
    return result.as_json() | {
        "transcript": talked.lines,
        "deviation": talked.deviation,
        "run_again": run_again(run, result),
    }


def junit_text(run: Run, fails: Callable[[Result], bool]) -> bytes:
    """A JUnit report: a test for each case. A failure that is known, so that it does not fail, is skipped."""
    cases = [_junit_case(run, result, fails=fails(result)) for result in run.results]
    return "".join(junit_lines("vudissect check", [junit.Suite(run.name, cases, run.seconds)])).encode()


def _junit_case(run: Run, result: Result, *, fails: bool) -> junit.Case:
    case = result.case
    about = (
        f"expected: {case.expected}",
        f"section: {case.section}",
        *conversation_of(result, run.discovered.device).lines,
        *result.last_words,
    )
    why = f"{result.verdict}: {result.why}"
    failure = None
    if result.ours or fails:
        failure = junit.Failure("; ".join((why, *result.ours)), str(result.verdict))
    left_out = why if result.verdict in _LEFT_OUT else f"known {why}" if result.verdict.is_failure() else ""
    return junit.Case(f"{case.id} {case.title}", failure, "\n".join(about), result.seconds, left_out)
