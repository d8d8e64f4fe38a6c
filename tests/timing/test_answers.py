"""The statistics of latencies."""

import pytest

from tests.conversation import MILLISECOND, Conversation
from tests.timing.talks import times_of
from vudissect.protocol.model import Channel, Side
from vudissect.timing.answers import BOUNDS, percentile
from vudissect.timing.values import Latencies


def asked(*latencies: int) -> Latencies:
    talk = Conversation()
    for latency in latencies:
        talk.front_end("GET_QUEUE_NUM")
        talk.back_end("GET_QUEUE_NUM", queues=1, after=latency)
    (connection,) = times_of(talk.records).connections
    (found,) = connection.latencies
    return found


def test_answers_are_counted_by_message_and_side() -> None:
    found = asked(MILLISECOND, 2 * MILLISECOND)

    assert (found.connection, found.channel, found.sender, found.name, found.answers) == (
        1,
        Channel.MAIN,
        Side.BACK_END,
        "GET_QUEUE_NUM",
        2,
    )


def test_the_slowest_answer_is_known_by_its_frame() -> None:
    found = asked(MILLISECOND, 9 * MILLISECOND, 2 * MILLISECOND)

    assert (found.slowest, found.most) == (4, found.p99)


@pytest.mark.parametrize(("part", "expected"), [(50, 50), (90, 90), (99, 99), (100, 100)])
def test_a_percentile_is_one_of_the_values(part: int, expected: int) -> None:
    assert percentile(list(range(1, 101)), part) == expected


def test_a_percentile_of_a_single_value_is_that_value() -> None:
    assert percentile([7], 50) == percentile([7], 99) == 7


def test_a_histogram_has_half_decades() -> None:
    assert BOUNDS[:4] == (1_000, 3_162, 10_000, 31_623)
    assert BOUNDS[-1] == 10_000_000_000


def test_each_answer_is_in_one_column_of_the_histogram() -> None:
    found = asked(2 * MILLISECOND, 2 * MILLISECOND, 20_000 * MILLISECOND)

    # 1 ms up to 3.16 ms, and 10 s or more.
    assert {column: count for column, count in enumerate(found.histogram) if count} == {7: 2, 15: 1}


def test_times_of_a_damaged_capture_may_be_any_number_apart() -> None:
    assert asked(1 << 64).most == (1 << 63) - 1
