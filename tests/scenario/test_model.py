"""Scenarios as data: which faults they have for a set-up, and what came of them by what was seen."""

import pytest

from vudissect.faults.language import read_fault
from vudissect.scenario.model import SCENARIOS, STORM, Outcome, Scenario, Step, from_lines
from vudissect.scenario.runner import judge
from vudissect.scenario.watch import Seen

SET_UP = (Step("GET_FEATURES"), Step("SET_OWNER"), Step("SET_VRING_NUM", (1,)))


def scenario(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.name == name)


@pytest.mark.parametrize("name", ["kill-back-end", "kill-front-end"])
def test_a_side_is_killed_once_at_each_message(name: str) -> None:
    points = scenario(name).points(SET_UP)

    assert [(point.number, point.title) for point in points] == [
        (1, "GET_FEATURES"),
        (2, "SET_OWNER"),
        (3, "SET_VRING_NUM ring 1"),
    ]
    faults = [read_fault(text) for point in points for text in point.faults]
    assert [(fault.after, fault.count) for fault in faults] == [(0, 1), (1, 1), (2, 1)]


def test_a_storm_is_at_the_beginning_in_the_middle_and_at_the_end() -> None:
    points = scenario("reconnect-storm").points(SET_UP)

    assert [point.number for point in points] == [1, 2, 3, 3]
    assert [read_fault(text).count for point in points for text in point.faults] == [STORM, STORM, STORM, 1]


def test_a_set_up_of_one_message_has_one_place_for_a_storm() -> None:
    assert [point.number for point in scenario("reconnect-storm").points(SET_UP[:1])] == [1, 1]


def test_a_file_is_one_run_with_all_its_faults() -> None:
    lines = ["SET_OWNER : drop", "SET_VRING_NUM : duplicate"]

    assert [point.faults for point in from_lines("mine", lines).points(SET_UP)] == [tuple(lines)]


@pytest.mark.parametrize(
    ("seen", "waits", "outcome", "words"),
    [
        (Seen(), "", Outcome.NOT_INJECTED, "no message"),
        (Seen(fault=5, open=1), "the front-end waits", Outcome.HUNG, "the front-end waits"),
        (Seen(fault=5, open=1), "", Outcome.HUNG, "nothing comes"),
        (Seen(fault=5, sessions=1, gave_up="the back-end waits"), "", Outcome.HUNG, "the back-end waits"),
        (Seen(fault=5, sessions=2, closed="the back-end closed it (eof)"), "", Outcome.REFUSED, "2 sessions"),
        (Seen(fault=5), "", Outcome.CLOSED, "does not connect again"),
    ],
    ids=["never injected", "waits", "silent", "gave up", "closed again", "not opened again"],
)
def test_what_rings_that_do_not_run_in_time_mean(seen: Seen, waits: str, outcome: Outcome, words: str) -> None:
    judged, why = judge(seen, waits)

    assert (judged, words in why) == (outcome, True)
