"""The reference back-end passes every case, and each of its faults is found by the case that it is named after."""

from collections.abc import Iterator

import pytest

from vudissect.check.cases import ALL_CASES
from vudissect.check.runner import Options
from vudissect.check.selftest import Mutation, References, references

_TIMEOUT = 5.0


@pytest.fixture(scope="module")
def every() -> Iterator[References]:
    with references(Options(timeout=_TIMEOUT)) as made:
        yield made


@pytest.fixture(scope="module")
def played(every: References) -> dict[str, Mutation]:
    return {}


@pytest.fixture(params=ALL_CASES, ids=lambda case: case.id)
def mutation(request: pytest.FixtureRequest, every: References, played: dict[str, Mutation]) -> Mutation:
    case = request.param
    if case.id not in played:
        played[case.id] = every.play(case)
    return played[case.id]


def test_the_reference_passes(mutation: Mutation) -> None:
    assert mutation.passes, (mutation.right.why, mutation.right.ours)


def test_the_fault_is_found(mutation: Mutation) -> None:
    assert mutation.caught, mutation.mutant.why
