"""Known results: what a program is known to do, so that only what is worse fails."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vudissect.check.model import Verdict
from vudissect.check.outcome import Result


class ExpectationError(ValueError):
    """A file that is not one of known results; one line."""


Known = Mapping[str, Verdict]


class Compared(NamedTuple):
    """What differs from the known results, as lines. Cases that are not known are worse if they fail."""

    worse: list[str]
    better: list[str]


def read_expectation(text: str) -> Known:
    """The known verdict of each case; `ExpectationError`."""
    try:
        known = json.loads(text)["cases"]
        return {case: Verdict(verdict) for case, verdict in known.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExpectationError(f"not a file of known results, as --write-expect makes it: {error}") from None


def expectation_text(role: str, name: str, results: Sequence[Result]) -> str:
    """The file for these results."""
    cases = {result.case.id: str(result.verdict) for result in results}
    return json.dumps({role.replace("-", "_"): name, "cases": cases}, indent=1) + "\n"


def compare(known: Known, results: Sequence[Result], *, strict: bool = False) -> Compared:
    """What is worse, and what is better than known."""
    compared = Compared([], [])
    for result in results:
        before = known.get(result.case.id, Verdict.PASS)
        text = f"{result.case.id}: {result.verdict}, expected {before}"
        failed = result.verdict.is_failure(strict=strict)
        if result.verdict.severity > before.severity and failed:
            compared.worse.append(f"{text}: {result.why}")
        elif before.is_failure(strict=strict) and result.verdict.severity < before.severity:
            compared.better.append(text)
    return compared


def fails(known: Known | None, result: Result, *, strict: bool = False) -> bool:
    """Whether this result is a failure: with known results only if it is worse."""
    if known is None:
        return result.verdict.is_failure(strict=strict)
    return bool(compare(known, [result], strict=strict).worse)
