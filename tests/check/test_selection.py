"""Which cases a word means."""

import pytest

from vudissect.check.cases import ALL_CASES
from vudissect.check.selection import SelectionError, select

SOME = [case for case in ALL_CASES if case.id in ("RNG-02", "INF-01", "INF-02", "MEM-12", "MEM-13", "MEM-14", "NEG-04")]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["RNG-02"], ["RNG-02"]),
        (["rng-02,INF"], ["RNG-02", "INF-01", "INF-02"]),
        (["INF-0*"], ["INF-01", "INF-02"]),
        (["msg:ADD_MEM*"], ["MEM-13", "MEM-14"]),
        (["rule:VU-INF-01"], ["INF-01"]),
        (["section:in-band-notifications"], ["NEG-04"]),
    ],
)
def test_words_select_cases(words: list[str], ids: list[str]) -> None:
    assert [case.id for case in select(SOME, words)] == ids


def test_some_can_be_left_out() -> None:
    assert [case.id for case in select(SOME, ["INF"], ["INF-01"])] == ["INF-02"]


def test_a_word_that_means_nothing_is_an_error() -> None:
    with pytest.raises(SelectionError, match="'msg:NOTHING' selects no case"):
        select(ALL_CASES, ["msg:NOTHING"])
