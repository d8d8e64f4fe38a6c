"""The page of a case: all that a maintainer needs to see what happened, and to make it happen again."""

from collections.abc import Iterator
from itertools import chain

from vudissect.check.model import Verdict
from vudissect.check.results import CaseResult, Results
from vudissect.lint.finding import Severity
from vudissect.lint.rules import rules_named
from vudissect.report.document import document
from vudissect.report.filing import backtrace, paragraph
from vudissect.report.html import Html, tag
from vudissect.report.verdicts import MEANINGS, badge

_NOT_PLAYED = (Verdict.UNIMPLEMENTED, Verdict.SKIP)


def case_page(results: Results, number: int, *, capture: str = "") -> str:
    """The page of the case with this index; `capture` is where its capture is, as a relative address."""
    case = results.cases[number]
    parts = chain(
        _summary(case),
        _expectation(case),
        () if case.verdict in _NOT_PLAYED else _evidence(case, capture),
        _suite_errors(case),
        _alone(case),
        _text_to_file(results, case),
    )
    return document(
        f"{case.id} {case.title}: {results.title}",
        _navigation(results, number),
        tag("h1", case.id, " ", badge(case.verdict), " ", case.title),
        *parts,
    )


def _navigation(results: Results, number: int) -> Html:
    """To the index, and to the cases before and after."""
    before = results.cases[number - 1] if number else None
    after = results.cases[number + 1] if number + 1 < len(results.cases) else None
    return tag(
        "nav",
        tag("a", results.title, href="index.html"),
        tag("span", class_="push"),
        *(() if before is None else (tag("a", f"← {before.id}", href=f"{before.id}.html", rel="prev"),)),
        *(() if after is None else (tag("a", f"{after.id} →", href=f"{after.id}.html", rel="next"),)),
    )


def _summary(case: CaseResult) -> Iterator[Html]:
    same = case.verdicts.count(case.verdict)
    often = f" in {same} of {len(case.verdicts)} repetitions" if same < len(case.verdicts) else ""
    yield tag("p", f"{case.verdict}{often}: {MEANINGS[case.verdict]}", class_="dim")
    yield tag("h2", "What happened")
    yield tag("p", case.why)


def _expectation(case: CaseResult) -> Iterator[Html]:
    yield tag("h2", "What is expected, and why")
    yield tag("p", case.expected)
    yield tag("dl", _sources(case), class_="facts")


def _sources(case: CaseResult) -> Iterator[Html]:
    yield tag("dt", "Specification")
    yield tag("dd", case.section)
    for rule in case.rules:
        known = rules_named(rule)
        yield tag("dt", tag("code", rule))
        yield tag("dd", known[0].statement if known else "a rule that this version does not have")


def _evidence(case: CaseResult, capture: str) -> Iterator[Html]:
    yield tag("h2", "Conversation")
    yield _transcript(case)
    yield tag("details", tag("summary", "As the case is written"), _talk(case))
    if capture:
        yield tag("p", "Capture: ", tag("a", capture.rpartition("/")[2], href=capture))
    yield tag("h2", "What became of the peer")
    yield tag("p", case.fate)
    yield from _findings(case)
    yield tag("h2", "Last output of the peer")
    yield tag("pre", "\n".join(case.last_words), class_="wraps") if case.last_words else tag("p", "It wrote nothing.")


def _transcript(case: CaseResult) -> Html:
    """Line by line; what decided is marked, and said after it."""
    lines: list[Html] = []
    for number, line in enumerate(case.transcript, 1):
        here = number == case.deviation
        lines.append(tag("span", line, class_="here") if here else tag("span", line))
        if here:
            lines.append(tag("span", f"▲ {case.why}", class_="note"))
    return tag("pre", *lines, class_="talk lines") if lines else tag("p", "There was none.")


def _talk(case: CaseResult) -> Html:
    lines = case.talk.strip("\n").split("\n")
    return tag(
        "pre",
        (
            tag("span", line.strip(), class_="here" if number == case.line and case.deviation else "")
            for number, line in enumerate(lines, 1)
        ),
        class_="talk",
    )


def _findings(case: CaseResult) -> Iterator[Html]:
    worth_saying = [each for each in case.findings if each.severity != Severity.INFO]
    if worth_saying:
        yield tag("h2", "What the linter finds about the peer")
        yield from (tag("p", tag("code", each.rule), f" {each.severity}: {each.message}") for each in worth_saying)
    elif case.verdict.is_failure():
        yield tag("h2", "What the linter finds about the peer")
        yield tag("p", "Nothing: the case knows more about what is right than messages show.")


def _suite_errors(case: CaseResult) -> Iterator[Html]:
    if case.suite_errors:
        yield tag("h2", "Errors of the suite")
        yield tag("p", "Our own side broke rules that the case does not declare. Please report it.")
        yield from (tag("p", error) for error in case.suite_errors)


def _alone(case: CaseResult) -> Iterator[Html]:
    yield tag("h2", "This case alone")
    yield tag("pre", case.run_again, class_="wraps")
    if debugged := backtrace(case):
        yield tag("p", "The same with a backtrace in its last output; how the process ends is then what gdb does:")
        yield tag("pre", debugged, class_="wraps")


def _text_to_file(results: Results, case: CaseResult) -> Iterator[Html]:
    if case.verdict.is_failure():
        yield tag("h2", "Text for a bug report")
        yield tag("pre", f"{paragraph(results, case)}\n\n    {case.run_again}", class_="wraps")
