"""A failure as a paragraph that can be filed with the maintainers of a peer as it is."""

from vudissect.check.model import Verdict
from vudissect.check.results import CaseResult, Results

_WHAT = {Verdict.WEDGED: "hangs or spins in", Verdict.CRASH: "crashes in"}


def paragraph(results: Results, case: CaseResult) -> str:
    """What was done, what happened, what is expected and why, and how to see it again."""
    device = f" (vhost-user {results.device})" if results.device else ""
    return (
        f"{results.title}{device} {_WHAT.get(case.verdict, 'fails')} the conformance case {case.id}, “{case.title}”:"
        f" {case.why}.{_last_words(case)} Expected is: {case.expected} {_source(case)}"
        f" To reproduce with vudissect {results.suite}: {case.run_again}"
    )


def _source(case: CaseResult) -> str:
    if case.section.startswith("no text"):
        return f"The specification has {case.section}."
    return f"Source: vhost-user specification, {case.section}."


def _last_words(case: CaseResult) -> str:
    if case.verdict is not Verdict.CRASH or not case.last_words:
        return ""
    return f" Its last output is “{case.last_words[-1].strip()}”."
