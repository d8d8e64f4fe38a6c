"""Changed sessions: all kinds of changes happen, they can be written down, and they depend on the seed only."""

from collections.abc import Callable
from random import Random

import pytest

from tests.fuzz_peers.sessions import a_session
from vudissect.fuzz import mutate as mutations
from vudissect.fuzz.mutate import mutate
from vudissect.fuzz.ring_mutations import use_a_ring
from vudissect.fuzz.steps import HangUp, Kick, Message, Steps, Write, in_turn, read_steps, text_of
from vudissect.host.descriptor import DescriptorKind

_TIMES = 300


def many(change: Callable[[Steps, Random], Steps]) -> list[Steps]:
    return [change(a_session(), Random(seed)) for seed in range(_TIMES)]


def changed_messages(sessions: list[Steps]) -> list[Message]:
    return [step for steps in sessions for step in steps if isinstance(step, Message) and step.was is not None]


def test_a_seed_gives_the_same_session_each_time() -> None:
    sessions = [mutate(a_session(), [a_session()], Random(7)) for _ in range(3)]

    assert sessions[0] == sessions[1] == sessions[2] != mutate(a_session(), [a_session()], Random(8))


def test_whatever_is_changed_reads_back_as_text() -> None:
    for seed in range(_TIMES):
        steps = mutate(a_session(), [a_session()], Random(seed))
        forgotten = tuple(step if not isinstance(step, Message) else step.forget() for step in steps)

        assert read_steps(text_of(steps)) == forgotten


def test_connections_come_one_after_the_other_whatever_is_changed() -> None:
    for seed in range(_TIMES):
        steps = mutate(a_session(), [a_session()], Random(seed))

        assert in_turn(steps) == steps


def test_fields_get_to_their_limits() -> None:
    lines = {step.line for step in changed_messages(many(mutations.change_field)) if step.name == "SET_VRING_NUM"}

    assert any("num=0x80000000" in line for line in lines)
    assert any("num=0 " in f"{line} " for line in lines)
    assert any("index=0xffffffff" in line for line in lines)


def test_regions_wrap_and_overlap() -> None:
    tables = [step for step in changed_messages(many(mutations.change_field)) if step.name == "SET_MEM_TABLE"]

    assert any("region1" in step.line for step in tables)
    assert any("size=0xffffffff" in step.line for step in tables)


def test_headers_get_sizes_that_the_payload_does_not_have() -> None:
    changed = changed_messages(many(mutations.change_header))

    assert any("header_size=" in step.line for step in changed)
    assert any("header_flags=" in step.line for step in changed)


def test_descriptors_are_missing_too_many_too_small_and_of_another_kind() -> None:
    changed = [
        (step, step.was) for step in changed_messages(many(mutations.change_descriptors)) if step.was is not None
    ]

    assert any(len(after.descriptors) < len(before.descriptors) for after, before in changed)
    assert any(len(after.descriptors) > len(before.descriptors) for after, before in changed)
    assert any(
        before.descriptors and before.descriptors[0].size > each.size and each.kind is DescriptorKind.MEMFD
        for after, before in changed
        for each in after.descriptors[:1]
    )
    kinds = {each.kind for after, _ in changed for each in after.descriptors}
    assert {DescriptorKind.PIPE, DescriptorKind.SOCKET, DescriptorKind.PIDFD} <= kinds


@pytest.mark.parametrize("change", [mutations.drop, mutations.repeat, mutations.move, mutations.insert])
def test_the_order_changes(change: Callable[[Steps, Random], Steps]) -> None:
    assert any(steps != a_session() for steps in many(change))


def test_connections_end_early_and_begin_again() -> None:
    sessions = many(mutations.hang_up)

    assert all(sum(isinstance(step, HangUp) for step in steps) >= 1 for steps in sessions)
    assert max(len(steps) for steps in sessions) > len(a_session())


def test_requests_are_written_where_the_ring_is() -> None:
    with_requests = [steps for steps in many(use_a_ring) if any(isinstance(step, Kick) for step in steps)]
    written = [{step.offset for step in steps if isinstance(step, Write)} for steps in with_requests]

    # A few are for a packed ring, which this one is not.
    assert sum({0x1000, 0x2000} <= offsets for offsets in written) > len(written) * 0.8 > 0


def test_rings_are_spoilt_in_different_ways() -> None:
    tables = {
        step.data for steps in many(use_a_ring) for step in steps if isinstance(step, Write) and step.offset == 0x1000
    }

    assert len(tables) > _TIMES / 6
