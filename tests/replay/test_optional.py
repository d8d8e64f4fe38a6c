"""Messages that may be missing or additional: each test plays a side against a peer with one message less or more."""

import socket

from tests.replay.hostile import Over, hostile
from tests.replay.talks import play, records_of, told
from vudissect.compare.policy import allow
from vudissect.replay import Options, Outcome, Policy, Side, Trouble, replay, script_of

ERR = "F>B SET_VRING_ERR ring 0 +evt#3"
RING = (
    "F>B GET_FEATURES",
    "B>F GET_FEATURES -> PROTOCOL_FEATURES VERSION_1",
    "F>B SET_FEATURES all that was offered",
    "F>B SET_VRING_NUM ring 0 num 256",
    "F>B SET_VRING_KICK ring 0 +evt#1",
    ERR,
    "F>B SET_VRING_CALL ring 0 +evt#2",
)
WITHOUT_ERR = tuple(line for line in RING if line != ERR)
OPTIONAL_ERR = [allow("SET_VRING_ERR")]


def allowed(outcome: Outcome) -> list[tuple[int, str | None, str | None]]:
    """Frame, recorded and live message."""
    return [(item.frame, item.expected, item.got) for item in outcome.allowed]  # type: ignore[misc]


class TestMissing:
    def test_an_optional_message_may_be_missing(self) -> None:
        outcome = play(RING, WITHOUT_ERR, Side.BACK_END, OPTIONAL_ERR)

        assert outcome.ok
        assert allowed(outcome) == [(7, "SET_VRING_ERR", None)]

    def test_other_messages_must_be_as_recorded(self) -> None:
        outcome = play(RING, WITHOUT_ERR, Side.BACK_END, [allow("SET_VRING_NUM")])

        assert told(outcome) == [(7, "SET_VRING_ERR", "")]

    def test_a_message_that_is_not_optional_may_not_be_missing_with_it(self) -> None:
        live = tuple(line for line in WITHOUT_ERR if "KICK" not in line)
        recorded = (*RING[:4], ERR, RING[4], RING[6])

        outcome = play(recorded, live, Side.BACK_END, OPTIONAL_ERR)

        assert told(outcome) == [(6, "SET_VRING_ERR", "")]

    def test_several_may_be_missing_at_once(self) -> None:
        outcome = play(RING, RING[:4], Side.BACK_END, [allow("SET_VRING_[!N]*")])

        assert outcome.ok
        assert [frame for frame, _, _ in allowed(outcome)] == [6, 7, 8]

    def test_our_reply_to_it_is_not_sent(self) -> None:
        status = ("F>B SET_STATUS 0x1", "F>B GET_STATUS", "B>F GET_STATUS -> 0x1")

        outcome = play((*RING[:3], *status, *RING[3:]), RING, Side.BACK_END, [allow("*_STATUS")])

        assert outcome.ok
        assert outcome.sent == 1
        assert allowed(outcome) == [(5, "SET_STATUS", None), (6, "GET_STATUS", None)]

    def test_the_last_one_may_be_missing_before_the_end(self) -> None:
        recorded = (*WITHOUT_ERR, ERR)

        assert play(recorded, WITHOUT_ERR, Side.BACK_END, OPTIONAL_ERR).ok

    def test_a_peer_that_closed_the_connection_sent_too_little_without_it(self) -> None:
        outcome = play((*WITHOUT_ERR, ERR), WITHOUT_ERR[:-1], Side.BACK_END, OPTIONAL_ERR)

        assert [(each.frame, each.trouble) for each in outcome.differences] == [(7, Trouble.CLOSED)]

    def test_a_message_on_the_back_end_channel_may_be_missing(self) -> None:
        outcome = play_channel(CONFIG_CHANGE, None, "CONFIG_CHANGE_MSG")

        assert outcome.ok
        assert allowed(outcome) == [(4, "CONFIG_CHANGE_MSG", None)]

    def test_a_reply_may_not_be_missing(self) -> None:
        outcome = play(RING, (RING[0], *RING[3:]), Side.FRONT_END, [allow("GET_FEATURES")])

        assert told(outcome) == [(3, "GET_FEATURES reply", "")]


class TestAdditional:
    def test_an_optional_message_may_be_additional(self) -> None:
        outcome = play(WITHOUT_ERR, RING, Side.BACK_END, OPTIONAL_ERR)

        assert outcome.ok
        assert allowed(outcome) == [(7, None, "SET_VRING_ERR")]
        assert outcome.unmatched == 0

    def test_other_messages_must_be_as_recorded(self) -> None:
        outcome = play(WITHOUT_ERR, RING, Side.BACK_END, [allow("SEND_RARP")])

        assert told(outcome) == [(7, "SET_VRING_CALL", "")]

    def test_it_may_be_in_another_place(self) -> None:
        live = (*WITHOUT_ERR[:3], ERR, *WITHOUT_ERR[3:])

        outcome = play(RING, live, Side.BACK_END, OPTIONAL_ERR)

        assert outcome.ok
        assert allowed(outcome) == [(5, None, "SET_VRING_ERR"), (7, "SET_VRING_ERR", None)]

    def test_it_may_be_the_last_one(self) -> None:
        rarp = "F>B SEND_RARP mac=52:54:00:12:34:56"

        assert play(RING, (*RING, rarp), Side.BACK_END, [allow("SEND_RARP")]).ok
        assert told(play(RING, (*RING, rarp), Side.BACK_END)) == [(9, "SEND_RARP", "")]

    def test_it_is_acknowledged_if_it_has_need_reply(self) -> None:
        negotiated = (
            *RING[:2],
            "F>B GET_PROTOCOL_FEATURES",
            "B>F GET_PROTOCOL_FEATURES -> REPLY_ACK",
            "F>B SET_PROTOCOL_FEATURES all that was offered",
        )
        live = (*negotiated, f"{ERR} need_reply", "B>F SET_VRING_ERR -> ok", *WITHOUT_ERR[2:])

        outcome = play((*negotiated, *WITHOUT_ERR[2:]), live, Side.BACK_END, OPTIONAL_ERR)

        assert outcome.ok
        assert outcome.remarks == ["#7: SET_VRING_ERR is answered, but was not recorded"]

    def test_get_status_is_answered_with_the_status_that_was_set(self) -> None:
        negotiated = (
            *RING[:2],
            "F>B GET_PROTOCOL_FEATURES",
            "B>F GET_PROTOCOL_FEATURES -> STATUS",
            "F>B SET_PROTOCOL_FEATURES all that was offered",
        )
        live = (*negotiated, "F>B SET_STATUS 0x3", "F>B GET_STATUS", "B>F GET_STATUS -> 0x3", *RING[2:])

        outcome = play((*negotiated, *RING[2:]), live, Side.BACK_END, [allow("*_STATUS")])

        assert outcome.ok
        answers = [record.data[12:] for record in outcome.live if record.data and record.sender is Side.BACK_END]
        assert answers[-1] == (3).to_bytes(8, "little")

    def test_a_message_on_the_back_end_channel_may_be_additional(self) -> None:
        outcome = play_channel(None, CONFIG_CHANGE, "CONFIG_CHANGE_MSG")

        assert outcome.ok
        assert allowed(outcome) == [(4, None, "CONFIG_CHANGE_MSG")]


CONFIG_CHANGE = "B>F backend: CONFIG_CHANGE_MSG"
CHANNEL = ("F>B SET_BACKEND_REQ_FD +sock#1 (stream)", "--- backend channel opened")


def play_channel(recorded: str | None, live: str | None, optional: str) -> Outcome:
    """Play the front-end to a back-end that has these messages on the back-end channel."""
    script = script_of(records_of(*CHANNEL, *filter(None, [recorded])), Side.FRONT_END)
    message = next(
        (record.data for record in records_of(*CHANNEL, *filter(None, [live])) if record.data and record.channel), b""
    )

    def behave(peer: socket.socket, _: Over) -> None:
        fds = socket.recv_fds(peer, 20, 1)[1]
        with socket.socket(fileno=fds[0]) as channel:
            channel.sendall(message)
            while peer.recv(64):
                pass

    with hostile(behave) as peer:
        return replay(script, peer, Policy([allow(optional)]), Options(timeout=0.2))
