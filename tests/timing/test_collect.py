"""The phases of connections, and reconnects."""

import itertools

from tests.conversation import MILLISECOND, SECOND, Conversation
from tests.timing.talks import times_of
from vudissect.analysis import read
from vudissect.timing.values import ConnectionTimes, Reconnect


def only(talk: Conversation) -> ConnectionTimes:
    (connection,) = times_of(talk.records).connections
    return connection


def started(talk: Conversation, connection: int = 1) -> None:
    """A connection up to its first ring."""
    talk.open("qemu", "disk", connection=connection)
    talk.front_end("GET_FEATURES", connection=connection)
    talk.back_end("GET_FEATURES", features=0, connection=connection, after=40 * MILLISECOND)
    talk.front_end("SET_OWNER", connection=connection)
    talk.front_end("SET_VRING_KICK", index=0, nofd=1, connection=connection)


def test_phases_follow_each_other() -> None:
    talk = Conversation()
    started(talk)
    talk.close("front-end")
    phases = [phase.span for phase in only(talk).phases]

    assert [span.name for span in phases] == ["connected", "negotiating", "configured", "running"]
    for span, following in itertools.pairwise(phases):
        assert (span.start + span.duration, span.last) == (following.start, following.first)


def test_the_phases_last_as_long_as_the_connection() -> None:
    talk = Conversation()
    started(talk)
    talk.close("front-end")

    first, last = talk.records[0], talk.records[-1]
    assert sum(phase.span.duration for phase in only(talk).phases) == last.time - first.time


def test_the_time_that_a_phase_waited_for_the_back_end() -> None:
    talk = Conversation()
    started(talk)
    (answer,) = only(talk).latencies

    assert [phase.waits for phase in only(talk).phases] == [(0, answer.most), (0, 0), (0, 0), (0, 0)]


def test_requests_that_wait_at_the_same_time_count_once() -> None:
    talk = Conversation()
    talk.front_end("GET_QUEUE_NUM")
    talk.front_end("GET_QUEUE_NUM")
    talk.back_end("GET_QUEUE_NUM", queues=1, after=10 * MILLISECOND)
    talk.back_end("GET_QUEUE_NUM", queues=1, after=10 * MILLISECOND)
    (phase,) = only(talk).phases

    assert phase.waits[1] == talk.records[3].received - talk.records[0].forwarded


def test_a_connection_that_is_open_at_the_end_says_so() -> None:
    talk = Conversation()
    started(talk)

    assert only(talk).open_end


def test_a_connection_that_began_before_the_capture_is_not_whole() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)

    assert not only(talk).whole


def test_a_reconnect_is_the_time_between_two_connections_and_until_a_ring_runs_again() -> None:
    talk = Conversation()
    started(talk)
    talk.close("back-end")
    talk.silence(3 * SECOND)
    started(talk, connection=2)

    closed, opened, kick = (talk.records[place] for place in (5, 6, -1))
    assert times_of(talk.records).reconnects == (
        Reconnect(1, 2, opened.frame, opened.time - closed.time, kick.time - closed.time),
    )


def test_another_program_is_not_a_reconnect() -> None:
    talk = Conversation()
    started(talk)
    talk.close("back-end")
    talk.open("another qemu", "disk", connection=2)

    assert times_of(talk.records).reconnects == ()


def test_a_real_back_end_that_was_killed_and_started_again() -> None:
    (found,) = times_of(read("captures/qemu-7.2-blk-qsd-back-end-killed.pcapng")).reconnects

    assert (found.before, found.after) == (1, 2)
    assert found.back is not None
    assert found.back > found.apart
