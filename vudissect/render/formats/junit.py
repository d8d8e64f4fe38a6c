"""JUnit reports, as CI servers read them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vudissect.render.format import AnyFormat, CaptureReport, Format, Replayed, Reported, Syntax
from vudissect.render.style import Style

if TYPE_CHECKING:
    from vudissect.render.junit import Case


def _findings(linted: Reported) -> Iterator[str]:
    from vudissect.render.junit import Suite, junit_lines

    suites = [Suite(capture.file, _cases(capture, linted.strict)) for capture in linted.captures]
    return junit_lines("vudissect lint", suites)


def _cases(capture: CaptureReport, strict: bool) -> "list[Case]":
    """A case for each finding, or one passed case if there are none."""
    from vudissect.lint.groups import in_order
    from vudissect.render.findings import fails
    from vudissect.render.junit import Case, Failure

    cases = [Case("the capture", Failure(complaint, "error")) for complaint in capture.complaints]
    for finding in in_order(capture.findings):
        name, text = f"{finding.rule} #{finding.frame}", f"{finding.blame.value}: {finding.message}"
        if fails(finding, strict=strict):
            cases.append(Case(name, Failure(text, finding.severity.value), finding.source))
        else:
            cases.append(Case(name, text=f"{finding.severity.value}: {text}"))
    return cases or [Case("nothing found")]


def _outcome(replayed: Replayed) -> Iterator[str]:
    """One case, which fails on any difference or if the capture is incomplete."""
    from vudissect.render.junit import Case, Failure, Suite, junit_lines
    from vudissect.render.replay import difference_text, report

    outcome = replayed.outcome
    failure = None
    if not outcome.ok or replayed.complaints:
        reasons = (*map(difference_text, outcome.differences[:1]), *replayed.complaints, "not everything was played")
        failure = Failure(reasons[0])
    text = "\n".join(report(outcome, replayed.file, Style(False)))
    case = Case(f"as {outcome.side.label}", failure, text, outcome.seconds)
    return junit_lines("vudissect replay", [Suite(replayed.file, [case], outcome.seconds)])


FORMATS: tuple[AnyFormat, ...] = (
    Format("junit", Reported, Syntax.XML, "formats.md#junit", _findings),
    Format("junit", Replayed, Syntax.XML, "formats.md#junit", _outcome),
)
