"""Lint explains each known bug: the right finding, with the right blame, is among the first three."""

from pathlib import Path

import pytest

from tests.interop.scenarios import FIRST, SCENARIOS, Scenario
from tests.interop.table import lines

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.path.stem)


def test_no_bug_is_missing() -> None:
    assert {scenario.number for scenario in SCENARIOS} == set(range(1, 64))


@every_scenario
def test_the_finding_that_explains_it_comes_first(scenario: Scenario) -> None:
    found = scenario.findings()

    assert scenario.expected
    for expected in scenario.expected:
        assert any(map(expected.fits, found[:FIRST])), "\n".join(
            f"{finding.rule} {finding.blame.value}: {finding.message}" for finding in found
        )


@every_scenario
def test_lint_does_not_report_what_is_right(scenario: Scenario) -> None:
    assert {finding.rule for finding in scenario.findings()}.isdisjoint(scenario.never)


def test_the_documentation_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "interop-bugs.md"

    assert "\n".join(lines()) + "\n" == page.read_text("utf-8"), "stale: run make docs"
