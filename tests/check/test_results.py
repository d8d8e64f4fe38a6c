"""Files of results: what is written is read again, and other files are refused in one line."""

import json
from typing import Any

import pytest

from tests.report.examples import case_document, document, results
from vudissect.check.model import Verdict
from vudissect.check.results import ResultsError, read_results, tally


def test_a_file_is_read() -> None:
    value = results([case_document("RNG-02", "crash")])

    assert (value.title, value.role, value.queues, value.cases[0].verdict) == (
        "my-disk 1.2",
        "back-end",
        1,
        Verdict.CRASH,
    )


def test_the_tally_has_what_matters_even_if_there_is_none() -> None:
    assert tally([Verdict.PASS, Verdict.SKIP, Verdict.PASS]) == "2 pass, 0 fail, 0 crash, 1 skip"


def test_results_that_are_not_complete_say_so() -> None:
    assert results([], complete=False).tally == "0 pass, 0 fail, 0 crash (interrupted)"


@pytest.mark.parametrize(
    "text",
    ["", "\0", "[]", "7", "{}", '{"format": "vudissect-check"', '{"format": "other", "version": 1}', "[" * 100_000],
)
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(ResultsError, match="not a file of results"):
        read_results(text)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"version": 2}, "made by a newer vudissect (0.2.0): its version is 2, not 1"),
        ({"version": True}, "version is not a whole number"),
        ({"peer": "my-disk"}, "peer is not an object"),
        ({"peer": {"name": "x", "version": "1"}}, "peer.role is missing"),
        ({"seconds": 10**400}, "seconds is too large"),
        ({"command": [1]}, "command is not an array of texts"),
        ({"cases": [1]}, "cases[0] is not an object"),
        ({"cases": [case_document("RNG-02", "good")]}, "cases[0].verdict: 'good' is not a verdict"),
        ({"cases": [case_document("../../x")]}, "cases[0].id is not the id of a case, such as RNG-02"),
        ({"cases": [case_document(deviation=3)]}, "cases[0].deviation is not a line of the transcript"),
        ({"cases": [case_document(), case_document()]}, "RNG-02 is in it twice"),
    ],
)
def test_damage_is_named_with_its_place(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ResultsError) as raised:
        read_results(json.dumps(document([]) | changes))

    assert str(raised.value) == line
