"""Known results, and what differs from them."""

import pytest

from vudissect.check.cases import ALL_CASES
from vudissect.check.expectation import ExpectationError, compare, expectation_text, read_expectation
from vudissect.check.model import Behaviour, Verdict
from vudissect.check.outcome import Played, Result

CASE = ALL_CASES[0]


def result(verdict: Verdict) -> Result:
    return Result(CASE, verdict, Played(verdict, Behaviour.WORKS))


def test_what_is_written_is_read_again() -> None:
    text = expectation_text("back-end", "my disk", [result(Verdict.CRASH)])

    assert read_expectation(text) == {CASE.id: (Verdict.CRASH,)}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"cases": {"FRM-01": "good"}}', '{"cases": 1}', '{"cases": {"FRM-01": []}}', "\0"]
)
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(ExpectationError):
        read_expectation(text)


@pytest.mark.parametrize(
    ("before", "now", "worse", "better"),
    [
        (Verdict.PASS, Verdict.FAIL, 1, 0),
        (Verdict.FAIL, Verdict.CRASH, 1, 0),
        (Verdict.FAIL, Verdict.FAIL, 0, 0),
        (Verdict.CRASH, Verdict.FAIL, 0, 1),
        (Verdict.FAIL, Verdict.PASS, 0, 1),
        (Verdict.PASS, Verdict.NON_STRICT, 0, 0),
    ],
)
def test_only_a_worse_failure_is_worse(before: Verdict, now: Verdict, worse: int, better: int) -> None:
    compared = compare({CASE.id: (before,)}, [result(now)])

    assert (len(compared.worse), len(compared.better)) == (worse, better)


@pytest.mark.parametrize(
    ("now", "worse", "better"),
    [
        (Verdict.PASS, 0, 1),
        (Verdict.FAIL, 0, 0),
        (Verdict.WEDGED, 0, 0),
        (Verdict.CRASH, 1, 0),
    ],
)
def test_a_case_with_several_known_verdicts_may_have_each(now: Verdict, worse: int, better: int) -> None:
    known = read_expectation(f'{{"cases": {{"{CASE.id}": ["wedged", "fail"]}}}}')

    compared = compare(known, [result(now)])

    assert (len(compared.worse), len(compared.better)) == (worse, better)


def test_a_case_keeps_its_several_verdicts_while_it_has_one_of_them() -> None:
    known = {CASE.id: (Verdict.PASS, Verdict.CRASH)}

    same = expectation_text("back-end", "my disk", [result(Verdict.PASS)], known)
    other = expectation_text("back-end", "my disk", [result(Verdict.FAIL)], known)

    assert read_expectation(same) == known
    assert read_expectation(other) == {CASE.id: (Verdict.FAIL,)}


def test_a_case_that_is_not_known_is_expected_to_pass() -> None:
    assert len(compare({}, [result(Verdict.FAIL)]).worse) == 1


def test_a_verdict_that_changes_is_shown_as_the_worst() -> None:
    repeated = result(Verdict.PASS).repeated((result(Verdict.FAIL), result(Verdict.PASS)))

    assert (repeated.verdict, repeated.changes) == (Verdict.FAIL, "1 of 3")
