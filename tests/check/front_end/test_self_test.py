"""The reference front-end passes every case, and each of its faults is found by the case that it is named after."""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from vudissect.check.cases.front_end import FRONT_END_CASES
from vudissect.check.front_end.selftest import front_end_reference
from vudissect.check.model import Case
from vudissect.check.runner import Options
from vudissect.check.selftest import Mutation

# They wait for most of the time.
_AT_ONCE = 4


@pytest.fixture(scope="module")
def mutations(request: pytest.FixtureRequest) -> Mapping[str, Mutation]:
    """The cases of the tests that were selected, played."""
    names = [item.name for item in request.session.items if item.path == request.path]
    left = deque(case for case in FRONT_END_CASES if any(f"[{case.id}]" in name for name in names))
    played: dict[str, Mutation] = {}

    def work() -> None:
        with front_end_reference(Options(timeout=5.0)) as reference:
            while True:
                try:
                    case = left.popleft()
                except IndexError:
                    return
                played[case.id] = reference.play(case)

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(work) for _ in range(min(_AT_ONCE, len(left)))]:
            done.result()
    return played


EVERY = pytest.mark.parametrize("case", FRONT_END_CASES, ids=lambda case: case.id)


@EVERY
def test_the_reference_passes(case: Case, mutations: Mapping[str, Mutation]) -> None:
    right = mutations[case.id].right

    assert mutations[case.id].passes, (right.why, right.ours)


@EVERY
def test_the_fault_is_found(case: Case, mutations: Mapping[str, Mutation]) -> None:
    assert mutations[case.id].caught, mutations[case.id].mutant.why
