"""Aligning steps, apart from what they contain."""

import pytest

from tests.conversation import Conversation
from vudissect.compare.align import MOST_STEPS, TooLongError, align
from vudissect.compare.exchange import Exchange, Exchanges
from vudissect.protocol.model import Channel


def steps(*names: str) -> list[Exchange]:
    """A request of each name, in this order."""
    talk = Conversation()
    for name in names:
        talk.front_end(name)
    first, *rest = talk.events()
    exchanges = Exchanges(first)
    for event in (first, *rest):
        exchanges.add(event)
    return exchanges.steps(Channel.MAIN)


def names(first: list[Exchange], second: list[Exchange]) -> list[str]:
    """`=` for what both have, `-` and `+` for what only one has, `~` for what moved."""
    return [
        f"{'~' if pair.moved else '=' if pair.first and pair.second else '-' if pair.first else '+'}{step.key.name}"
        for pair in align(first, second)
        if (step := pair.first or pair.second) is not None
    ]


def test_what_one_lacks_is_between_what_both_have() -> None:
    assert names(steps("SET_OWNER", "RESET_OWNER", "GET_QUEUE_NUM"), steps("SET_OWNER", "GET_QUEUE_NUM")) == [
        "=SET_OWNER",
        "-RESET_OWNER",
        "=GET_QUEUE_NUM",
    ]


def test_what_is_elsewhere_in_the_other_has_moved() -> None:
    first = steps("SET_OWNER", "GET_QUEUE_NUM", "RESET_OWNER")
    second = steps("GET_QUEUE_NUM", "RESET_OWNER", "SET_OWNER")

    assert names(first, second) == ["~SET_OWNER", "=GET_QUEUE_NUM", "=RESET_OWNER"]


def test_a_long_part_that_only_one_has_needs_no_alignment() -> None:
    assert len(align(steps("SET_OWNER"), steps(*["SET_OWNER", *["RESET_OWNER"] * (MOST_STEPS + 1)]))) == MOST_STEPS + 2


def test_long_parts_that_differ_are_refused() -> None:
    with pytest.raises(TooLongError, match="in a row differ"):
        align(steps(*["SET_OWNER"] * (MOST_STEPS + 1)), steps(*["RESET_OWNER"] * (MOST_STEPS + 1)))
