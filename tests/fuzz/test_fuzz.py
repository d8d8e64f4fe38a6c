"""A fixed part of what `make fuzz` does."""

from pathlib import Path

import pytest

from tests.fuzz import mutate
from tests.fuzz.captures import parts_of
from tests.fuzz.views import check

BATCH = 25


@pytest.mark.parametrize("first", range(0, 300, BATCH))
def test_no_mutant_makes_a_reader_fail(tmp_path: Path, first: int) -> None:
    results = [check(seed, tmp_path) for seed in range(first, first + BATCH)]

    assert [failure for result in results for failure in result.failures] == []


def test_a_seed_always_gives_the_same_mutant() -> None:
    assert [mutate.capture(seed) for seed in range(20)] == [mutate.capture(seed) for seed in range(20)]


def test_mutants_differ_from_the_originals() -> None:
    assert not {mutate.capture(seed) for seed in range(20)} & set(mutate.bases())


def test_packing_a_parsed_capture_gives_the_same_capture() -> None:
    for base in mutate.bases():
        assert parts_of(base).packed() == base
