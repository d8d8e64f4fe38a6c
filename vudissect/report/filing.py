"""A failure as a paragraph that can be filed with the maintainers of a peer as it is."""

from vudissect.check.model import Verdict
from vudissect.check.outcome import Life
from vudissect.check.results import CaseResult, Results


def paragraph(results: Results, case: CaseResult) -> str:
    """What was done, what happened, and what is expected and why. The command that shows it again comes after it."""
    device = f" (vhost-user {results.device})" if results.device else ""
    return (
        f"{results.title}{device} {_what(case)} case {case.id} of the vhost-user conformance suite"
        f" vudissect {results.suite}, “{case.title}”. What happens: {case.why}.{_last_words(case)}"
        f" What is expected: {case.expected}{_refused(case)} {_source(case)} To reproduce:"
    )


def backtrace(case: CaseResult) -> str:
    """The command that makes a page with a backtrace; "" for a process that does not die, or that already runs."""
    options, separator, command = case.run_again.partition(" -- ")
    if case.verdict is not Verdict.CRASH or not separator:
        return ""
    return f"{options} --html backtrace -- gdb -batch -ex run -ex 'bt 15' --args {command}"


def _refused(case: CaseResult) -> str:
    """What a word of the suite means to somebody who has not read its pages."""
    if "refused" not in case.expected:
        return ""
    return " (Refused: acknowledged with a value other than 0, or the connection is closed.)"


def _what(case: CaseResult) -> str:
    if case.verdict is Verdict.WEDGED:
        return "spins in" if f"process {Life.SPINNING}" in case.fate else "hangs in"
    return "crashes in" if case.verdict is Verdict.CRASH else "fails"


def _source(case: CaseResult) -> str:
    if case.section.startswith("no text"):
        return f"The specification has {case.section}."
    return f"Source: vhost-user specification, {case.section}."


def _last_words(case: CaseResult) -> str:
    if case.verdict is not Verdict.CRASH or not case.last_words:
        return ""
    return f" Its last output is “{case.last_words[-1].strip()}”."
