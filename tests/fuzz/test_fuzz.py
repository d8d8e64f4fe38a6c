"""A part of what `make fuzz` does, always the same."""

from pathlib import Path

import pytest

from tests.fuzz import mutate
from tests.fuzz.captures import parts_of
from tests.fuzz.views import check

AT_ONCE = 25


@pytest.mark.parametrize("first", range(0, 300, AT_ONCE))
def test_no_mutant_brings_a_reader_down(tmp_path: Path, first: int) -> None:
    results = [check(seed, tmp_path) for seed in range(first, first + AT_ONCE)]

    assert [failure for result in results for failure in result.failures] == []


def test_a_mutant_is_always_the_same() -> None:
    assert [mutate.capture(seed) for seed in range(20)] == [mutate.capture(seed) for seed in range(20)]


def test_mutants_are_not_what_they_come_from() -> None:
    assert not {mutate.capture(seed) for seed in range(20)} & set(mutate.bases())


def test_a_capture_taken_apart_is_the_same_capture_put_together() -> None:
    for base in mutate.bases():
        assert parts_of(base).packed() == base
