"""One side is played, the other is live: what is sent, what is expected, and what is reported on a difference."""

import socket
import threading
import time
from itertools import pairwise

import pytest

from tests.replay.talks import HANG_UP, LivePeer, play, records_of, told
from vudissect.capture.record import Record
from vudissect.compare.policy import IGNORED, override
from vudissect.replay import Connected, InMemory, Options, Outcome, Policy, RawMessage, Side, Trouble, replay, script_of

BRING_UP = (
    "F>B GET_FEATURES",
    "B>F GET_FEATURES -> PROTOCOL_FEATURES VERSION_1",
    "F>B GET_PROTOCOL_FEATURES",
    "B>F GET_PROTOCOL_FEATURES -> MQ REPLY_ACK",
    "F>B SET_PROTOCOL_FEATURES all that was offered",
    "F>B SET_OWNER need_reply",
    "B>F SET_OWNER -> ok",
    "F>B SET_FEATURES all that was offered",
    "F>B SET_VRING_NUM ring 0 num 256",
    "F>B GET_VRING_BASE ring 0 base 0",
    "B>F GET_VRING_BASE -> ring 0 base 0",
)


def without(lines: tuple[str, ...], *parts: str) -> tuple[str, ...]:
    """A conversation without the lines that contain these parts."""
    kept = tuple(line for line in lines if not any(part in line for part in parts))
    assert len(kept) == len(lines) - len(parts)
    return kept


@pytest.mark.parametrize(("side", "sent", "received"), [(Side.FRONT_END, 7, 4), (Side.BACK_END, 4, 7)])
def test_either_side_can_be_played(side: Side, sent: int, received: int) -> None:
    outcome = play(BRING_UP, side=side)

    assert outcome.ok
    assert (outcome.sent, outcome.received, outcome.unmatched, outcome.unplayed) == (sent, received, 0, [])


def test_messages_are_sent_byte_by_byte_as_recorded() -> None:
    records = records_of(*BRING_UP)
    script = script_of(records, Side.FRONT_END)
    peer = LivePeer(records, Side.BACK_END)

    replay(script, InMemory(peer.hear), Policy(), Options())

    assert [raw.data for raw in peer.heard] == [
        record.data for record in records if record.data and record.sender is Side.FRONT_END
    ]


def test_the_first_difference_ends_it_and_the_rest_is_unplayed() -> None:
    outcome = play(BRING_UP, tuple(line.replace("SET_OWNER -> ok", "SET_OWNER -> FAILED (1)") for line in BRING_UP))

    assert told(outcome) == [(8, "SET_OWNER", "result")]
    assert outcome.unplayed == [9, 10, 11, 12]
    assert not outcome.ok


def test_keep_going_continues_to_the_end() -> None:
    live = tuple(line.replace("SET_OWNER -> ok", "SET_OWNER -> FAILED (1)") for line in BRING_UP)
    outcome = play(BRING_UP, live, keep_going=True)

    assert told(outcome) == [(8, "SET_OWNER", "result")]
    assert outcome.unplayed == []


def test_a_missing_reply_is_reported_by_name() -> None:
    outcome = play(BRING_UP, without(BRING_UP, "B>F SET_OWNER"))

    (difference,) = outcome.differences
    assert (difference.trouble, difference.frame, difference.message) == (Trouble.SILENCE, 8, "SET_OWNER reply")
    assert difference.expected == "SET_OWNER reply"


def test_another_message_is_reported_by_name() -> None:
    live = tuple(line.replace("B>F SET_OWNER -> ok", "B>F GET_QUEUE_NUM -> queues 1") for line in BRING_UP)
    outcome = play(BRING_UP, live)

    (difference,) = outcome.differences
    assert (difference.trouble, difference.expected, difference.got) == (
        Trouble.OTHER,
        "SET_OWNER reply",
        "GET_QUEUE_NUM reply",
    )
    assert outcome.unmatched == 1


def test_an_additional_message_at_the_end_is_not_ignored() -> None:
    outcome = play(BRING_UP, (*BRING_UP, "B>F GET_QUEUE_NUM -> queues 1"))

    (difference,) = outcome.differences
    assert (difference.trouble, difference.got) == (Trouble.UNMATCHED, "GET_QUEUE_NUM reply")
    assert (outcome.unmatched, outcome.unplayed) == (1, [])
    assert not outcome.ok


def test_unplayed_messages_are_not_ignored() -> None:
    outcome = Outcome(Side.FRONT_END, unplayed=[7])

    assert not outcome.ok


class TestKeepGoing:
    """Versions differ in messages that come or do not come; the messages after them are still compared."""

    def test_a_request_that_no_longer_comes_is_skipped_with_its_answer(self) -> None:
        outcome = play(BRING_UP, without(BRING_UP, "F>B SET_OWNER", "B>F SET_OWNER"), Side.BACK_END, keep_going=True)

        assert told(outcome) == [(7, "SET_OWNER", "")]
        assert outcome.unplayed == [7, 8]
        assert (outcome.sent, outcome.received) == (3, 6)

    def test_a_new_request_is_answered_as_it_was_answered_elsewhere(self) -> None:
        live = (*BRING_UP[:2], *BRING_UP[:2], *BRING_UP[2:])
        outcome = play(BRING_UP, live, Side.BACK_END, keep_going=True)

        assert [difference.trouble for difference in outcome.differences] == [Trouble.OTHER]
        assert outcome.unplayed == []
        assert outcome.remarks == ["#4: GET_FEATURES is answered, but was not recorded"]

    def test_a_new_request_with_need_reply_is_acknowledged(self) -> None:
        more = ("F>B SET_LOG_FD +evt#1 need_reply", "B>F SET_LOG_FD -> ok")
        outcome = play(BRING_UP, (*BRING_UP[:7], *more, *BRING_UP[7:]), Side.BACK_END, keep_going=True)

        assert told(outcome) == [(9, "SET_FEATURES", "")]
        assert outcome.unplayed == []

    def test_an_acknowledgement_is_added_if_it_is_requested_now(self) -> None:
        live = tuple(
            line.replace("F>B SET_VRING_NUM ring 0 num 256", "F>B SET_VRING_NUM ring 0 num 256 need_reply")
            for line in BRING_UP
        )
        acknowledged = (*live[:9], "B>F SET_VRING_NUM -> ok", *live[9:])
        outcome = play(BRING_UP, acknowledged, Side.BACK_END, keep_going=True)

        assert told(outcome) == [(10, "SET_VRING_NUM", "flags.need_reply")]
        assert outcome.unplayed == []

    def test_an_acknowledgement_is_left_out_if_it_is_not_requested_now(self) -> None:
        live = without(tuple(line.replace("SET_OWNER need_reply", "SET_OWNER") for line in BRING_UP), "B>F SET_OWNER")
        outcome = play(BRING_UP, live, Side.BACK_END, keep_going=True)

        assert told(outcome) == [(7, "SET_OWNER", "flags.need_reply")]
        assert outcome.unplayed == [8]

    def test_a_missing_answer_is_reported_and_skipped(self) -> None:
        outcome = play(BRING_UP, without(BRING_UP, "B>F SET_OWNER"), keep_going=True)

        assert [difference.trouble for difference in outcome.differences] == [Trouble.SILENCE]
        assert outcome.unplayed == [8]


class TestPart:
    """Only some of the frames."""

    def test_to_a_frame(self) -> None:
        records = records_of(*BRING_UP)
        peer = LivePeer(records, Side.BACK_END)
        outcome = replay(script_of(records, Side.FRONT_END, last=5), InMemory(peer.hear))

        assert outcome.ok
        assert (outcome.sent, outcome.received) == (2, 2)

    def test_from_a_frame_with_what_is_known_from_before(self) -> None:
        records = records_of(*BRING_UP)
        peer = LivePeer(records[6:], Side.BACK_END)
        outcome = replay(script_of(records, Side.FRONT_END, first=7), InMemory(peer.hear))

        assert outcome.ok
        assert (outcome.sent, outcome.received) == (4, 2)

    def test_messages_after_the_last_frame_are_ignored(self) -> None:
        records = records_of(*BRING_UP)
        peer = LivePeer(records, Side.FRONT_END)
        outcome = replay(script_of(records, Side.BACK_END, last=5), InMemory(peer.hear, peer.speak()))

        assert outcome.ok


class TestClosing:
    def test_a_front_end_that_does_not_close_is_a_difference(self) -> None:
        records = records_of(*BRING_UP)
        peer = LivePeer(records[:-1], Side.FRONT_END)
        outcome = replay(
            script_of(records, Side.BACK_END), InMemory(peer.hear, peer.speak()), None, Options(timeout=0.1)
        )

        assert [difference.trouble for difference in outcome.differences] == [Trouble.OPEN]

    def test_unless_that_is_allowed(self) -> None:
        records = records_of(*BRING_UP)
        peer = LivePeer(records[:-1], Side.FRONT_END)
        policy = Policy([override("connection.close", IGNORED)])
        outcome = replay(
            script_of(records, Side.BACK_END), InMemory(peer.hear, peer.speak()), policy, Options(timeout=0.1)
        )

        assert outcome.ok

    def test_a_peer_that_hangs_up_is_reported_with_the_expected_message(self) -> None:
        records = records_of(*BRING_UP)
        outcome = replay(script_of(records, Side.FRONT_END), InMemory(lambda _: [HANG_UP]))

        (difference,) = outcome.differences
        assert (difference.trouble, difference.frame) == (Trouble.CLOSED, 3)
        assert difference.got == "the other side closed the connection"

    def test_a_peer_that_serves_one_connection_is_missing_for_the_second(self) -> None:
        ours, theirs = socket.socketpair()
        again = (
            "F>B SET_OWNER",
            "--- closed by back-end",
            "--- connection 2: front-end qemu, back-end disk",
            "c2 F>B SET_OWNER",
        )
        with theirs:
            theirs.shutdown(socket.SHUT_WR)
            outcome = replay(script_of(records_of(*again)[:-1], Side.FRONT_END), Connected(ours))

        assert [difference.trouble for difference in outcome.differences] == [Trouble.UNREACHED]


CHANNEL = (
    *BRING_UP[:4],
    "F>B SET_PROTOCOL_FEATURES all that was offered",
    "F>B SET_BACKEND_REQ_FD +sock#1 (stream)",
    "--- backend channel opened",
    "B>F backend: CONFIG_CHANGE_MSG need_reply",
    "F>B backend: CONFIG_CHANGE_MSG -> ok",
)


GPU = (
    "F>B GPU_SET_SOCKET +sock#1 (stream)",
    "--- gpu channel opened",
    "B>F gpu: GET_PROTOCOL_FEATURES",
    "F>B gpu: GET_PROTOCOL_FEATURES -> EDID",
    "B>F gpu: UPDATE scanout 0 x 0 y 0 width 1 height 1 pixels=01020304",
)


@pytest.fixture(scope="module", params=[CHANNEL, GPU], ids=["backend", "gpu"])
def both(request: pytest.FixtureRequest) -> tuple[Outcome, Outcome]:
    """A session with another channel, both sides replayed over a real socket."""
    records = records_of(*request.param)
    ours, theirs = socket.socketpair()
    outcomes: list[Outcome] = []
    back_end = threading.Thread(
        target=lambda: outcomes.append(replay(script_of(records, Side.BACK_END), Connected(theirs)))
    )
    back_end.start()
    front = replay(script_of(records, Side.FRONT_END), Connected(ours))
    back_end.join(20)
    return front, outcomes[0]


class TestChannel:
    def test_messages_on_a_channel_that_a_message_hands_over_are_played(self, both: tuple[Outcome, Outcome]) -> None:
        front, back = both
        said = [record for record in front.recorded if record.data]

        assert (front.sent + front.received, back.sent + back.received) == (len(said), len(said))

    def test_without_a_difference(self, both: tuple[Outcome, Outcome]) -> None:
        assert [outcome.differences for outcome in both] == [[], []]

    def test_on_that_channel(self, both: tuple[Outcome, Outcome]) -> None:
        front, _ = both

        assert [(record.channel, record.length) for record in front.live if record.data] == [
            (record.channel, record.length) for record in front.recorded if record.data
        ]


class TestTime:
    def test_in_real_time_messages_keep_their_intervals(self) -> None:
        spread = ("F>B SET_OWNER", "... 60ms", "F>B SET_OWNER")
        outcome = play(spread, speed=2)

        assert outcome.ok
        assert outcome.seconds >= 0.03

    def test_falling_behind_is_reported(self) -> None:
        def slow(_: RawMessage) -> list[RawMessage]:
            time.sleep(0.05)
            return []

        records: list[Record] = records_of("F>B SET_OWNER", "F>B SET_OWNER")
        outcome = replay(script_of(records, Side.FRONT_END), InMemory(slow), None, Options(speed=1))

        assert outcome.lag > 0.02

    def test_the_times_of_the_live_session_are_its_own(self) -> None:
        times = [record.received for record in play(BRING_UP).live]

        assert all(before <= after for before, after in pairwise(times))


FAULTED = (
    *BRING_UP[:8],
    "--- fault 1 injected: SET_VRING_NUM : set num=64",
    "F>B SET_VRING_NUM ring 0 num 256 NOT FORWARDED, WITHHELD",
    "F>B SET_VRING_NUM ring 0 num 64 INJECTED",
    "F>B GET_VRING_BASE ring 0 base 0",
    "--- fault 2 injected: kind=reply : drop",
    "B>F GET_VRING_BASE -> ring 0 base 0 NOT FORWARDED, WITHHELD",
    "--- fault 3 injected: SET_OWNER : ack",
    "F>B SET_OWNER need_reply NOT FORWARDED, WITHHELD",
    "B>F SET_OWNER -> ok INJECTED",
)
FRONT_ENDS = ("F>B SET_VRING_NUM ring 0 num 256", "F>B GET_VRING_BASE ring 0 base 0", "F>B SET_OWNER need_reply")
BACK_ENDS = (
    "F>B SET_VRING_NUM ring 0 num 64",
    "F>B GET_VRING_BASE ring 0 base 0",
    "B>F GET_VRING_BASE -> ring 0 base 0",
)


def test_a_back_end_gets_what_it_got_with_faults_and_answers_as_it_did() -> None:
    outcome = play(FAULTED, (*BRING_UP[:8], *BACK_ENDS), Side.FRONT_END)

    assert (outcome.ok, told(outcome), outcome.unmatched) == (True, [], 0)


def test_a_front_end_sends_what_it_sent_and_gets_what_it_got() -> None:
    live = (*BRING_UP[:8], *FRONT_ENDS, "B>F SET_OWNER -> ok")
    outcome = play(FAULTED, live, Side.BACK_END)

    assert (outcome.ok, told(outcome), outcome.unmatched) == (True, [], 0)


def test_a_connection_that_a_fault_closed_is_closed_by_the_side_that_is_played() -> None:
    records = records_of(*BRING_UP)
    *rest, closed = records
    faulted = [*rest, closed._replace(details={"by": "back-end", "how": "fault 1"})]
    peer = LivePeer(records, Side.BACK_END)

    assert replay(script_of(faulted, Side.FRONT_END), InMemory(peer.hear), Policy(), Options(timeout=0.2)).ok
