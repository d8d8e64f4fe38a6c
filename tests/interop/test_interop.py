"""Each known bug is settled by lint: the finding that tells it stands among the first three, with the right blame."""

from pathlib import Path

import pytest

from tests.interop.scenarios import FIRST, SCENARIOS, Scenario
from tests.interop.table import lines

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.path.stem)


def test_all_of_them_are_here() -> None:
    assert {scenario.number for scenario in SCENARIOS} == set(range(1, 39))


@every_scenario
def test_what_settles_it_is_found_first(scenario: Scenario) -> None:
    found = scenario.findings()

    assert scenario.expected
    for expected in scenario.expected:
        assert any(map(expected.fits, found[:FIRST])), "\n".join(
            f"{finding.rule} {finding.blame.value}: {finding.message}" for finding in found
        )


@every_scenario
def test_nothing_is_found_that_is_no_fault(scenario: Scenario) -> None:
    assert {finding.rule for finding in scenario.findings()}.isdisjoint(scenario.never)


def test_the_page_of_the_documentation_is_fresh() -> None:
    page = Path(__file__).parents[2] / "docs" / "interop-bugs.md"

    assert "\n".join(lines()) + "\n" == page.read_text("utf-8"), "stale: run make docs"
