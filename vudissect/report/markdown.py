"""Results as Markdown, for pages in a repository."""

import re
import shlex
from collections.abc import Iterator, Sequence

from vudissect.check.results import CaseResult, Results
from vudissect.render.units import printable
from vudissect.report.filing import backtrace, paragraph
from vudissect.report.matrix import Peer, rows
from vudissect.report.verdicts import SIGNS

_BEFORE, _AFTER = 8, 4
_LONGEST = 200
_MEANS_SOMETHING = re.compile(r"[\\`*<\[|]")


def plain(text: str) -> str:
    """A text that is no markup, on one line."""
    return _MEANS_SOMETHING.sub(lambda match: f"\\{match[0]}", printable(text))


def matrix_markdown(peers: Sequence[Peer]) -> Iterator[str]:
    """A table of all cases, with a column for each peer."""
    yield f"| case | {' | '.join(plain(peer.results.title) for peer in peers)} |"
    yield f"|---|{'---|' * len(peers)}"
    for case in rows(peers):
        results = (peer.cases.get(case.id) for peer in peers)
        cells = (f"{SIGNS[each.verdict]} {each.verdict}" if each is not None else "" for each in results)
        yield f"| {case.id} {plain(case.title)} | {' | '.join(cells)} |"


def failures_markdown(results: Results) -> Iterator[str]:
    """A page about a peer: how it was checked, and for each failure a text that can be filed, with the evidence."""
    yield f"# {plain(results.title)}\n"
    yield f"{plain(results.tally)}; {plain(results.began[:10])}, with vudissect {plain(results.suite)}.\n"
    yield f"    {printable(shlex.join(results.command))}\n"
    failing = sorted(
        (case for case in results.cases if case.verdict.is_failure()), key=lambda case: -case.verdict.severity
    )
    for case in failing:
        yield from _failure(results, case)
    if not failing:
        yield "No case fails.\n"


def _failure(results: Results, case: CaseResult) -> Iterator[str]:
    yield f"## {case.id}: {case.verdict}\n"
    yield f"{plain(paragraph(results, case))}\n"
    yield f"    {printable(case.run_again)}\n"
    if debugged := backtrace(case):
        yield "The same with a backtrace in its last output:\n"
        yield f"    {printable(debugged)}\n"
    yield "What the case does; `?` is before the step that is judged:\n"
    yield from (_block(line.strip()) for line in case.talk.strip().splitlines())
    yield ""
    if case.deviation:
        yield "The conversation around the message that decided:\n"
        yield from map(_block, _excerpt(case))
        yield ""
    if case.last_words:
        yield "The last lines that it wrote:\n"
        yield from map(_block, case.last_words)
        yield ""


def _excerpt(case: CaseResult) -> Iterator[str]:
    """The lines of the transcript around the one that decided, and what was seen there."""
    yield from case.transcript[max(0, case.deviation - 1 - _BEFORE) : case.deviation]
    yield f"▲ {case.why}"
    yield from case.transcript[case.deviation : case.deviation + _AFTER]


def _block(text: str) -> str:
    """A line that is shown as it is."""
    shown = printable(text)
    return f"    {shown[:_LONGEST]}{'…' * (len(shown) > _LONGEST)}"
