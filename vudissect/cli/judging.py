"""Judges captures for `vudissect lint`: one after the other, or several at a time in processes of their own."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from vudissect.analysis import Analysis, Linted
from vudissect.analysis import Judged as EventAndFindings
from vudissect.capture.files import ByteSource, open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.errors import ExplainedError, explained_errors, fail
from vudissect.cli.known import known_dialect, known_rules
from vudissect.cli.progress import watched
from vudissect.cli.reading import complaints, status_of
from vudissect.lint.finding import Severity
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.model import Device
from vudissect.render.format import CaptureReport

if TYPE_CHECKING:
    from vudissect.filter import Filter
    from vudissect.summary.peers import Pair


class Way(NamedTuple):
    """How captures are judged, in words, which another process understands.

    `severity` is the least that is reported; with `pairs`, the programs of each connection are determined as well.
    """

    device: str | None = None
    dialect: str | None = None
    ignored: tuple[str, ...] = ()
    filter: str | None = None
    severity: str | None = None
    pairs: bool = False


class Matching(NamedTuple):
    """Whether a filter matched anything in a capture; if not, whether each of its comparisons held, and its values."""

    matched: bool
    held: tuple[bool, ...]
    values: tuple[frozenset[Any], ...]


class Judged(NamedTuple):
    """A capture and the exit status that it deserves by itself. `matching` is None without a filter or messages."""

    report: CaptureReport
    status: int
    pairs: "Mapping[int, Pair]"
    matching: Matching | None


class Unreadable(NamedTuple):
    """A capture that cannot be read, and why."""

    file: str
    problem: str


Judgement = Judged | Unreadable
_Open = Callable[[str], AbstractContextManager[ByteSource]]


def judgements(files: Sequence[str], way: Way, jobs: int) -> Iterator[Judgement]:
    """The judgement of each capture, in their order; exit 2 if a process ends too early."""
    if jobs == 1:
        # A file may be long: its progress is shown.
        yield from (judge(file, way, watched) for file in files)
        return
    from vudissect.host.workers import WorkerKilledError, done, in_order

    try:
        yield from in_order(done(files, partial(judge, way=way), jobs))
    except WorkerKilledError as error:
        fail(f"{error}: use fewer --jobs")


def judge(file: str, way: Way, opening: _Open = open_capture) -> Judgement:
    """Judge one capture."""
    try:
        with explained_errors(file), opening(file) as stream:
            return _judged(file, stream, way)
    except ExplainedError as error:
        return Unreadable(file, str(error))


class _Means(NamedTuple):
    """What a `Way` means."""

    device: Device | None
    dialect: Dialect | None
    rules: tuple[Rule, ...]
    filter: "Filter | None"


@cache
def _means(way: Way) -> _Means:
    from vudissect.protocol.devices import device_by_name

    wanted = None
    if way.filter is not None:
        from vudissect.filter import compile_filter

        wanted = compile_filter(way.filter)
    unwanted = {rule.id for text in way.ignored for rule in known_rules(text)}
    return _Means(
        device_by_name(way.device) if way.device is not None else None,
        known_dialect(way.dialect) if way.dialect is not None else None,
        tuple(rule for rule in ALL_RULES if rule.id not in unwanted),
        wanted,
    )


def _judged(file: str, stream: ByteSource, way: Way) -> Judged:
    means = _means(way)
    analysis = Analysis(read_capture(stream), device=means.device, dialect=means.dialect, rules=means.rules)
    pairs, judged = None, analysis.ahead()
    if way.pairs:
        from vudissect.summary.peers import Pairs

        pairs = Pairs()
        judged = pairs.watch(judged)
    matching = None
    if means.filter is None:
        linted = analysis.lint(judged)
    else:
        linted, matching = _narrowed(analysis, judged, means.filter)
    if way.severity is not None:
        least = Severity(way.severity).rank
        linted = linted._replace(findings=[finding for finding in linted.findings if finding.severity.rank <= least])
    return Judged(
        CaptureReport(file, *linted, complaints(analysis.records)),
        status_of(analysis.records),
        pairs.finish(analysis.session) if pairs is not None else {},
        matching,
    )


def _narrowed(
    analysis: Analysis, judged: Iterable[EventAndFindings], wanted: "Filter"
) -> tuple[Linted, Matching | None]:
    """The findings that a filter shows."""
    from vudissect.filter import Narrowed

    shown = Narrowed(wanted, judged)
    findings = [finding for _, found in shown for finding in found]
    findings += shown.ending(analysis.session, analysis.finish())[0]
    rules = {finding.rule for finding in findings}
    withheld = {rule: times for rule, times in analysis.withheld.items() if rule in rules}
    matching = None
    if analysis.records.has_messages:
        held, values = (each.held for each in shown.found), (frozenset(each.values) for each in shown.found)
        matching = Matching(shown.matched, tuple(held), tuple(values))
    return Linted(findings, withheld, shown.messages), matching
