"""Changed sessions of a back-end: all kinds of changes happen, can be written down, and depend on the seed only."""

from collections.abc import Callable
from random import Random

import pytest

from vudissect.fuzz import answer_mutations as mutations
from vudissect.fuzz.answer_mutations import derive
from vudissect.fuzz.mutate import change_field
from vudissect.fuzz.steps import SILENCE, HangUp, Message, Steps, Wait, in_turn, read_steps, text_of
from vudissect.protocol.model import Channel, Side

_TALK = """
F>B GET_FEATURES
B>F GET_FEATURES features=0x140000000
F>B SET_OWNER
F>B GET_QUEUE_NUM
B>F GET_QUEUE_NUM queues=2
B>F backend: CONFIG_CHANGE_MSG
F>B GET_CONFIG offset=0 size=4 contents=00000000
B>F GET_CONFIG offset=0 size=4 contents=00080000
"""
_TIMES = 120


def a_session() -> Steps:
    return read_steps(_TALK, Side.BACK_END)


def many(change: Callable[[Steps, Random], Steps]) -> list[Steps]:
    return [change(a_session(), Random(seed)) for seed in range(_TIMES)]


def lines(sessions: list[Steps]) -> set[str]:
    return {step.line for steps in sessions for step in steps}


def test_a_seed_gives_the_same_session_each_time() -> None:
    sessions = [derive(a_session(), [a_session()], Random(7)) for _ in range(3)]

    assert sessions[0] == sessions[1] == sessions[2] != derive(a_session(), [a_session()], Random(8))


def test_whatever_is_changed_reads_back_as_text() -> None:
    for seed in range(_TIMES):
        text = text_of(derive(a_session(), [a_session()], Random(seed)))

        assert text_of(read_steps(text, Side.BACK_END)) == text


def test_connections_come_one_after_the_other_whatever_is_changed() -> None:
    for seed in range(_TIMES):
        steps = derive(a_session(), [a_session()], Random(seed))

        assert in_turn(steps) == steps


def test_what_the_front_end_sends_is_not_changed() -> None:
    waits = {step.data for step in a_session() if isinstance(step, Wait)}

    for steps in many(lambda steps, random: derive(steps, [steps], random)):
        assert {step.data for step in steps if isinstance(step, Wait)} <= waits


def test_the_values_of_answers_get_to_their_limits() -> None:
    changed = lines(many(change_field))

    assert "B>F GET_QUEUE_NUM (u64) queues=0xffffffffffffffff" in changed
    assert any("B>F GET_CONFIG payload=00000000ffffffff" in line for line in changed)


def test_offers_have_bits_more_and_less_all_and_none() -> None:
    offered = {line.rpartition("features=")[2] for line in lines(many(mutations.change_offer)) if "features=" in line}

    assert {"0", "0xffffffffffffffff"} <= offered
    assert len(offered) > 20


def test_answers_are_withheld() -> None:
    assert all(SILENCE in steps for steps in many(mutations.withhold))


@pytest.mark.parametrize("change", [mutations.repeat, mutations.move])
def test_answers_come_twice_and_in_another_order(change: Callable[[Steps, Random], Steps]) -> None:
    changed = many(change)

    assert any(steps != a_session() for steps in changed)
    assert {step for steps in changed for step in steps} == set(a_session())


def test_answers_come_that_nobody_waits_for() -> None:
    assert any(line.startswith("B>F GET_INFLIGHT_FD") for line in lines(many(mutations.answer_unasked)))


def test_requests_of_all_kinds_are_made_on_the_channel_of_the_back_end() -> None:
    asked = {
        step.name
        for steps in many(mutations.ask)
        for step in steps
        if isinstance(step, Message) and step.channel is Channel.BACKEND
    }

    assert {"IOTLB_MSG", "CONFIG_CHANGE_MSG", "SHARED_OBJECT_ADD", "VRING_HOST_NOTIFIER_MSG"} <= asked


def test_the_back_end_hangs_up_at_any_point() -> None:
    places = {steps.index(HangUp(by=Side.BACK_END)) for steps in many(mutations.hang_up)}

    assert places == set(range(len(a_session()) + 1))
