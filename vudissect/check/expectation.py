"""Known results: what a program is known to do, so that only what is worse fails."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vudissect.check.model import Verdict
from vudissect.check.outcome import Result


class ExpectationError(ValueError):
    """A file that is not one of known results; one line."""


# The verdicts that each case is known to have. A program that corrupts its memory, or has a race, has more than one.
Known = Mapping[str, tuple[Verdict, ...]]


class Compared(NamedTuple):
    """What differs from the known results, as lines. Cases that are not known are worse if they fail."""

    worse: list[str]
    better: list[str]


def read_expectation(text: str) -> Known:
    """The known verdicts of each case, of which a file has one or a list; `ExpectationError`."""
    try:
        known = json.loads(text)["cases"]
        return {case: _verdicts(value) for case, value in known.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExpectationError(f"not a file of known results, as --write-expect makes it: {error}") from None


def _verdicts(value: object) -> tuple[Verdict, ...]:
    if isinstance(value, list) and value:
        return tuple(Verdict(verdict) for verdict in value)
    return (Verdict(str(value)),)


def expectation_text(role: str, name: str, results: Sequence[Result], known: Known | None = None) -> str:
    """The file for these results. A case that had one of several known verdicts keeps all of them."""
    cases: dict[str, str | list[str]] = {}
    for result in results:
        before = (known or {}).get(result.case.id, ())
        several = len(before) > 1 and result.verdict in before
        cases[result.case.id] = [str(verdict) for verdict in before] if several else str(result.verdict)
    return json.dumps({role.replace("-", "_"): name, "cases": cases}, indent=1) + "\n"


def compare(known: Known, results: Sequence[Result], *, strict: bool = False) -> Compared:
    """What is worse than all known verdicts, and what is better than all of them."""
    compared = Compared([], [])
    for result in results:
        before = sorted(known.get(result.case.id, (Verdict.PASS,)), key=lambda verdict: verdict.severity)
        text = f"{result.case.id}: {result.verdict}, expected {' or '.join(before)}"
        if result.verdict.severity > before[-1].severity and result.verdict.is_failure(strict=strict):
            compared.worse.append(f"{text}: {result.why}")
        elif result.verdict.severity < before[0].severity and before[0].is_failure(strict=strict):
            compared.better.append(text)
    return compared


def fails(known: Known | None, result: Result, *, strict: bool = False) -> bool:
    """Whether this result is a failure: with known results only if it is worse."""
    if known is None:
        return result.verdict.is_failure(strict=strict)
    return bool(compare(known, [result], strict=strict).worse)
