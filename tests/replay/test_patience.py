"""How long to wait for each message: messages that a peer no longer sends cost one time-out."""

from collections.abc import Callable, Iterable, Sequence
from time import monotonic

import pytest

from tests.replay.talks import records_of
from vudissect.compare.policy import allow
from vudissect.host.peer import Peer
from vudissect.protocol.model import Channel
from vudissect.replay import Options, Outcome, Policy, RawMessage, Side, StreamError, Trouble, replay, script_of
from vudissect.replay.limits import Patience
from vudissect.replay.stream import Stream
from vudissect.wire.header import ByteOrder

MAIN = (1, Channel.MAIN)
ACK, FEATURES = b"\x08\0\0\0", b"\x01\0\0\0"


class TestPatience:
    def test_at_first_the_whole_time_out(self) -> None:
        assert Patience(10).wait(MAIN, ACK) == 10

    def test_after_a_missing_message_one_second_and_then_less_each_time(self) -> None:
        patience = Patience(10)
        waits = []
        for _ in range(4):
            patience.missed(MAIN, ACK)
            waits.append(patience.wait(MAIN, FEATURES))

        assert waits == [1, 0.5, 0.25, 0.125]

    def test_a_thousand_missing_messages_cost_a_hundredth_of_a_second_each(self) -> None:
        patience = Patience(10)
        for _ in range(1000):
            patience.missed(MAIN, ACK)

        assert patience.wait(MAIN, ACK) == 0.01

    def test_never_longer_than_the_time_out(self) -> None:
        patience = Patience(0.001)
        patience.missed(MAIN, ACK)

        assert patience.wait(MAIN, ACK) == 0.001

    def test_the_whole_time_out_again_once_something_comes(self) -> None:
        patience = Patience(10)
        patience.missed(MAIN, ACK)
        patience.came(MAIN, FEATURES)

        assert patience.wait(MAIN, FEATURES) == 10

    def test_but_not_for_the_missing_kind_of_message(self) -> None:
        patience = Patience(10)
        patience.missed(MAIN, ACK)
        patience.came(MAIN, FEATURES)

        assert patience.wait(MAIN, ACK) == 1

    def test_until_a_message_of_that_kind_comes(self) -> None:
        patience = Patience(10)
        patience.missed(MAIN, ACK)
        patience.came(MAIN, ACK)

        assert patience.wait(MAIN, ACK) == 10

    @pytest.mark.parametrize("other", [(1, Channel.BACKEND), (2, Channel.MAIN)])
    def test_other_channels_and_connections_have_their_own_waits(self, other: tuple[int, Channel]) -> None:
        patience = Patience(10)
        patience.missed(MAIN, ACK)

        assert patience.wait(other, ACK) == 10


class Waiting:
    """A peer that only sends the replies for which `sends` is true; waits for others are recorded, not spent."""

    peer: Peer | None = None

    def __init__(self, replies: Iterable[bytes], sends: Callable[[bytes], bool]) -> None:
        self.waits: list[float] = []
        self._replies = list(replies)
        self._sends = sends
        self._pending: list[bytes] = []

    def connect(self, deadline: float) -> Stream:
        return self

    def send(self, data: bytes, descriptors: Sequence[int], deadline: float) -> None:
        if self._replies and self._replies[0][:4] == data[:4]:
            reply = self._replies.pop(0)
            if self._sends(reply):
                self._pending.append(reply)

    def receive(self, deadline: float, order: ByteOrder) -> RawMessage:
        if self._pending:
            return RawMessage(self._pending.pop(0))
        self.waits.append(round(deadline - monotonic(), 1))
        raise StreamError(Trouble.SILENCE, "the other side sent nothing in time")

    def shut_down(self) -> None: ...

    def close(self) -> None: ...


NEGOTIATION = (
    "F>B GET_FEATURES",
    "B>F GET_FEATURES -> PROTOCOL_FEATURES VERSION_1",
    "F>B GET_PROTOCOL_FEATURES",
    "B>F GET_PROTOCOL_FEATURES -> MQ REPLY_ACK",
    "F>B SET_PROTOCOL_FEATURES all that was offered",
)
RINGS = tuple(
    line
    for ring in range(8)
    for line in (f"F>B SET_VRING_NUM ring {ring} num 256 need_reply", "B>F SET_VRING_NUM -> ok", *NEGOTIATION[:2])
)


def play(*lines: str, sends: Callable[[bytes], bool]) -> tuple[Outcome, list[float]]:
    """Play the front-end to such a peer, with --keep-going; returns the waits, without the farewell."""
    records = records_of(*lines)
    peer = Waiting((record.data for record in records if record.data and record.sender is Side.BACK_END), sends)
    outcome = replay(script_of(records, Side.FRONT_END), peer, None, Options(timeout=40, keep_going=True, deadline=1e6))
    return outcome, peer.waits[:-1]


class TestReplay:
    def test_consecutive_missing_replies_cost_one_time_out(self) -> None:
        outcome, waits = play(*NEGOTIATION, sends=lambda _: False)

        assert [difference.frame for difference in outcome.differences] == [3, 5]
        assert waits == [40, 1]

    def test_missing_replies_of_one_kind_among_others_cost_one_time_out(self) -> None:
        outcome, waits = play(*NEGOTIATION, *RINGS, sends=lambda reply: reply[:4] != ACK)

        assert [difference.frame for difference in outcome.differences] == [8 + 4 * ring for ring in range(8)]
        assert waits.count(40) == 1
        assert sum(waits) < 40 + 2.5

    def test_a_peer_that_sends_again_has_the_whole_time_out_again(self) -> None:
        silent_once = iter([False, True])

        outcome, waits = play(*NEGOTIATION, *RINGS[:2], sends=lambda reply: reply[:4] != ACK and next(silent_once))

        assert [difference.frame for difference in outcome.differences] == [3, 8]
        assert waits == [40, 40]

    def test_missing_optional_messages_cost_one_time_out(self) -> None:
        lines = [f"F>B SET_VRING_ERR ring {ring} nofd" for ring in range(3)]
        records = records_of(*lines)[:-1]
        peer = Waiting((), lambda _: False)

        outcome = replay(script_of(records, Side.BACK_END), peer, Policy([allow("SET_VRING_ERR")]), Options(timeout=40))

        assert outcome.ok
        assert peer.waits[:-1] == [40, 1, 0.5]
