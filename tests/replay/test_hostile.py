"""Whatever the live peer does: the replay ends, reports the differences, and leaves nothing open."""

import gc
import itertools
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conversation import Conversation
from tests.replay.hostile import (
    Behaviour,
    Over,
    dripping,
    endless,
    generous,
    generous_in_pieces,
    hostile,
    interrupting,
    listening,
    message,
    silent,
    slow,
    talking,
)
from tests.replay.talks import HANG_UP, records_of
from tests.replay.test_player import BRING_UP, CHANNEL
from vudissect.capture.record import Record
from vudissect.render.replay import outcome_json, report
from vudissect.render.style import Style
from vudissect.replay import (
    Dial,
    InMemory,
    Listen,
    Options,
    Outcome,
    RawMessage,
    Side,
    Trouble,
    replay,
    script_of,
)
from vudissect.replay.limits import MOST_UNMATCHED, default_deadline

RECORDS = records_of(*CHANNEL)
SAID = [record.data for record in RECORDS if record.data]

headers = st.tuples(st.integers(0, 50), st.sampled_from([1, 5, 9, 13, 0, 0xFFFFFFFF]), st.binary(max_size=64))
messages = st.one_of(
    st.binary(min_size=1, max_size=80),
    headers.map(
        lambda parts: (
            parts[0].to_bytes(4, "little")
            + parts[1].to_bytes(4, "little")
            + len(parts[2]).to_bytes(4, "little")
            + parts[2]
        )
    ),
    st.sampled_from(SAID),
    st.just(b""),
)


def answering(script: list[list[bytes]]) -> Callable[[RawMessage], list[RawMessage]]:
    turns = iter(script)
    return lambda _: [RawMessage(data) if data else HANG_UP for data in next(turns, [])]


@pytest.mark.parametrize("side", [Side.FRONT_END, Side.BACK_END], ids=["as front-end", "as back-end"])
@pytest.mark.parametrize("keep_going", [False, True])
@settings(max_examples=150)
@given(first=st.lists(messages, max_size=3), turns=st.lists(st.lists(messages, max_size=3), max_size=8))
def test_a_peer_that_sends_anything(side: Side, keep_going: bool, first: list[bytes], turns: list[list[bytes]]) -> None:
    peer = InMemory(answering(turns), [RawMessage(data) if data else HANG_UP for data in first])
    script = script_of(RECORDS, side)

    outcome = replay(script, peer, None, Options(timeout=0.01, keep_going=keep_going))

    text = "\n".join(report(outcome, "talk", Style(False)))
    assert outcome.ok == ("no difference" in text)
    assert outcome_json(outcome, "talk")
    # Every message of the recording was played, or is reported.
    assert len(outcome.unplayed) + outcome.sent + outcome.received - outcome.unmatched >= len(script.messages)


def descriptors_open() -> int:
    # What other tests no longer use may be closed at any time.
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After each test as many descriptors are open as before."""
    before = descriptors_open()
    yield
    assert descriptors_open() == before


def test_a_failed_replay_leaves_nothing_open() -> None:
    replay(script_of(RECORDS, Side.FRONT_END), InMemory(answering([[b"garbage"]])), None, Options(timeout=0.01))


SHORT = Options(timeout=0.1, deadline=0.3)
PATIENT = Options(timeout=10, deadline=30)
BOTH = pytest.mark.parametrize("side", [Side.FRONT_END, Side.BACK_END], ids=["as front-end", "as back-end"])


def play(
    behaviour: Behaviour, options: Options, side: Side = Side.FRONT_END, lines: Iterable[str] = BRING_UP
) -> Outcome:
    return played(behaviour, options, side, records_of(*lines))


def played(behaviour: Behaviour, options: Options, side: Side, records: list[Record]) -> Outcome:
    with hostile(behaviour) as peer:
        outcome = replay(script_of(records, side), peer, None, options)
    assert not outcome.ok
    assert outcome_json(outcome, "talk")
    return outcome


def last(outcome: Outcome) -> tuple[Trouble, str, str]:
    difference = outcome.differences[-1]
    return difference.trouble, str(difference.expected), str(difference.got)


def long_requests() -> list[Record]:
    """A front-end that sends requests without reply, so that only its own writes can block it."""
    talk = Conversation()
    for _ in range(60):
        talk.raw(Side.FRONT_END, message(99, bytes(60_000), flags=1))
    return talk.records


class TestTime:
    @BOTH
    def test_a_silent_peer_is_reported_with_the_expected_message(self, side: Side) -> None:
        trouble, expected, got = last(play(silent, SHORT, side))

        assert (trouble, got) == (Trouble.SILENCE, "the other side sent nothing in time")
        assert expected == ("GET_FEATURES reply" if side is Side.FRONT_END else "GET_FEATURES")

    @BOTH
    def test_a_silent_peer_is_not_waited_for_beyond_the_deadline(self, side: Side) -> None:
        options = Options(timeout=10, deadline=0.1, keep_going=True)

        trouble, _, got = last(play(listening, options, side))

        assert trouble is Trouble.DEADLINE
        assert got.endswith("the deadline of 0.1 s for the whole replay was reached")

    def test_a_byte_now_and_then_is_not_a_message(self) -> None:
        trouble, _, got = last(play(dripping, SHORT))

        assert trouble is Trouble.SILENCE
        assert "of 12 bytes of a message" in got

    def test_a_message_before_each_timeout_does_not_extend_the_deadline(self) -> None:
        outcome = play(interrupting, SHORT._replace(keep_going=True))

        assert last(outcome)[:2] == (Trouble.DEADLINE, "GET_FEATURES reply")

    def test_a_peer_that_never_reads(self) -> None:
        trouble, _, got = last(played(silent, SHORT, Side.FRONT_END, long_requests()))

        assert (trouble, got) == (Trouble.SILENCE, "the other side accepted nothing more in time")

    def test_a_peer_that_reads_a_little_at_a_time(self) -> None:
        options = Options(timeout=10, deadline=0.3)

        outcome = played(slow, options, Side.FRONT_END, long_requests())

        assert last(outcome)[0] is Trouble.DEADLINE
        assert outcome.unplayed

    def test_playing_in_real_time_does_not_exceed_the_deadline(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER")
        talk.silence(3600 * 10**9)
        talk.front_end("SET_OWNER")

        outcome = played(listening, SHORT._replace(speed=1), Side.FRONT_END, talk.records)

        assert last(outcome) == (
            Trouble.DEADLINE,
            "SET_OWNER",
            "the deadline of 0.3 s for the whole replay was reached",
        )
        assert outcome.unplayed == [2]

    def test_the_default_deadline_allows_playing_in_real_time(self) -> None:
        assert default_deadline(1000, timeout=10, recorded=3600, speed=0) == 60 + 10 + 10
        assert default_deadline(1000, timeout=10, recorded=3600, speed=2) == 60 + 10 + 10 + 1800


class TestMessages:
    @BOTH
    @pytest.mark.parametrize("sent", [message(99), message(1, bytes(8)), bytes(12)], ids=["unknown", "known", "zeros"])
    def test_a_flood_of_unexpected_messages_ends_it(self, side: Side, sent: bytes) -> None:
        outcome = play(talking(sent), PATIENT._replace(keep_going=True), side)

        assert last(outcome)[0] is Trouble.UNMATCHED
        assert outcome.unmatched == MOST_UNMATCHED + 1
        assert len(outcome.live) <= 2 * MOST_UNMATCHED + len(BRING_UP) + 3

    def test_a_message_that_never_ends(self) -> None:
        outcome = play(endless, PATIENT._replace(keep_going=True))

        assert last(outcome) == (
            Trouble.UNMATCHED,
            f"at most {MOST_UNMATCHED} messages that are not in the recording",
            "more of them",
        )

    def test_a_message_of_gigabytes_is_refused(self) -> None:
        trouble, _, got = last(play(talking(struct.pack("<III", 1, 5, 1 << 30)), PATIENT))

        assert (trouble, got) == (Trouble.OTHER, f"the other side announced {1 << 30} bytes of payload")

    def test_a_peer_that_keeps_sending_after_the_end(self) -> None:
        answers = [record.data for record in records_of(*BRING_UP) if record.data and record.sender is Side.BACK_END]

        def behave(peer: socket.socket, over: Over) -> None:
            peer.sendall(b"".join(answers))
            talking(message(99))(peer, over)

        outcome = play(behave, PATIENT)

        assert outcome.unplayed == []
        assert 0 < outcome.unmatched <= MOST_UNMATCHED + 1

    def test_a_flood_takes_bounded_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.replay.log._MOST_KEPT", 1 << 20)

        outcome = play(talking(message(99, bytes(100_000))), PATIENT._replace(keep_going=True))

        assert outcome.unmatched > MOST_UNMATCHED
        assert sum(len(record.data) for record in outcome.live) < 10 << 20

    def test_a_function_that_answers_without_end(self) -> None:
        peer = InMemory(lambda _: itertools.repeat(RawMessage(message(99))))

        outcome = replay(
            script_of(records_of(*BRING_UP), Side.FRONT_END), peer, None, PATIENT._replace(keep_going=True)
        )

        assert last(outcome)[0] is Trouble.UNMATCHED


class TestDescriptors:
    @BOTH
    def test_a_flood_of_descriptors_leaves_none_open(self, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.replay.limits.MOST_UNMATCHED", 50)

        outcome = play(generous, PATIENT._replace(keep_going=True), side)

        assert last(outcome)[0] is Trouble.UNMATCHED

    def test_a_message_collects_at_most_a_thousand_descriptors(self) -> None:
        trouble, _, got = last(play(generous_in_pieces, PATIENT))

        assert (trouble, got) == (Trouble.OTHER, "the other side sent more than 1024 descriptors with one message")

    def test_unrecorded_descriptors_are_reported_and_closed(self) -> None:
        def behave(peer: socket.socket, over: Over) -> None:
            event = os.eventfd(0)
            socket.send_fds(peer, [message(1, bytes(8))], [event] * 9)
            os.close(event)
            over.wait()

        outcome = play(behave, PATIENT)

        assert ("fds", 0, 9) in [(each.field, each.expected, each.got) for each in outcome.differences]


class TestChannels:
    def test_a_busy_back_end_channel_does_not_hide_a_silent_main_one(self) -> None:
        lines = (*CHANNEL[:7], "F>B GET_QUEUE_NUM", "B>F GET_QUEUE_NUM -> queues 2")
        records = records_of(*lines)

        def behave(peer: socket.socket, over: Over) -> None:
            """Answers until the channel is handed over, and then only sends there."""
            answers = (record.data for record in records if record.data and record.sender is Side.BACK_END)
            fds: list[int] = []
            while not fds:
                data, fds, _, _ = socket.recv_fds(peer, 12, 1)
                data += peer.recv(int.from_bytes(data[8:12], "little"), socket.MSG_WAITALL)
                if data[0] in (1, 15):
                    peer.sendall(next(answers))
            with socket.socket(fileno=fds[0]) as channel:
                talking(message(2, flags=1))(channel, over)

        trouble, expected, _ = last(played(behave, Options(timeout=0.2, deadline=30), Side.FRONT_END, records))

        assert (trouble, expected) == (Trouble.SILENCE, "GET_QUEUE_NUM reply")


class TestNobody:
    def test_a_listener_to_which_nobody_connects(self, tmp_path: Path) -> None:
        with Listen.at(str(tmp_path / "s")) as waiting:
            outcome = replay(script_of(RECORDS, Side.BACK_END), waiting, None, Options(timeout=30, deadline=0.05))

        assert last(outcome) == (Trouble.UNREACHED, "a connection", f"nobody connected to {tmp_path / 's'}")

    def test_nobody_listens(self, tmp_path: Path) -> None:
        calling = Dial.at(str(tmp_path / "s"))

        outcome = replay(script_of(RECORDS, Side.FRONT_END), calling, None, Options(timeout=30, deadline=0.05))

        assert last(outcome) == (Trouble.UNREACHED, "a connection", f"nobody listens at {tmp_path / 's'}")

    def test_a_listener_that_never_accepts(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            listener.listen()
            outcome = replay(script_of(RECORDS, Side.FRONT_END), Dial.at(str(tmp_path / "s")), None, SHORT)

        assert last(outcome)[0] is Trouble.SILENCE

    def test_a_listener_whose_queue_is_full(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
            listener.bind(str(tmp_path / "s"))
            listener.listen(0)
            other.connect(str(tmp_path / "s"))
            outcome = replay(script_of(RECORDS, Side.FRONT_END), Dial.at(str(tmp_path / "s")), None, SHORT)

        assert last(outcome)[0] is Trouble.UNREACHED

    def test_a_peer_that_connects_and_sends_nothing(self, tmp_path: Path) -> None:
        with Listen.at(str(tmp_path / "s")) as waiting, socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(tmp_path / "s"))
            outcome = replay(script_of(RECORDS, Side.BACK_END), waiting, None, SHORT)

        assert last(outcome)[:2] == (Trouble.SILENCE, "GET_FEATURES")
