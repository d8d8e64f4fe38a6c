"""VU-VRG-12, -20, -21: whether a front-end waits until what it tells of a ring is in place."""

import pytest

from tests.conversation import SECOND, Conversation, eventfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.features import PROTOCOL_FEATURES


def call(talk: Conversation, name: str, *, need_reply: bool = False) -> None:
    talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(name),), need_reply=need_reply)
    if need_reply:
        talk.back_end("SET_VRING_CALL", ack=0)


def start(talk: Conversation, *, base: int = 0, need_reply: bool = False) -> Conversation:
    """Base, call and kick descriptor, and enabled with or without an acknowledgement."""
    talk.front_end("SET_VRING_BASE", index=0, num=base)
    call(talk, "first")
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick"),))
    talk.front_end("SET_VRING_ENABLE", index=0, num=1, need_reply=need_reply)
    if need_reply:
        talk.back_end("SET_VRING_ENABLE", ack=0)
    return talk


def running(*protocol_features: str) -> Conversation:
    """A ring has been running for a while, since frame 11, with the call descriptor evt#1."""
    talk = start(opened(*protocol_features))
    talk.silence(SECOND)
    return talk


def stop(talk: Conversation, num: int = 0) -> None:
    talk.front_end("SET_VRING_ENABLE", index=0, num=0)
    talk.front_end("GET_VRING_BASE", index=0)
    talk.back_end("GET_VRING_BASE", index=0, num=num)


class TestCallReplaced:
    """VU-VRG-12."""

    def test_where_no_acknowledgement_is_possible(self) -> None:
        talk = running()
        call(talk, "second")

        finding = only(talk, "VU-VRG-12")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (12, (11,))
        assert "evt#1 of ring 0 becomes evt#3 (its no. 2) while it runs" in finding.message

    def test_where_the_front_end_waits_for_the_acknowledgement(self) -> None:
        talk = running("REPLY_ACK")
        call(talk, "second", need_reply=True)
        talk.silence(60 * SECOND)
        stop(talk)
        talk.close("front-end")

        assert found(talk, "VU-VRG-12") == []

    def test_where_it_waits_and_then_gives_up(self) -> None:
        talk = running("REPLY_ACK")
        call(talk, "second", need_reply=True)
        talk.silence(60 * SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-VRG-12")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.BACK_END, 12)
        assert "the back-end may go on signalling the old one" in finding.message

    def test_where_the_capture_ends_nobody_has_given_up(self) -> None:
        talk = running("REPLY_ACK")
        call(talk, "second", need_reply=True)

        assert found(talk, "VU-VRG-12") == []

    def test_where_it_could_be_acknowledged_another_rule_speaks(self) -> None:
        talk = running("REPLY_ACK")
        call(talk, "second")

        assert [finding.rule for finding in found(talk, "VU-VRG-12", "VU-VRG-21") if finding.frame == 12] == [
            "VU-VRG-21"
        ]

    def test_the_same_descriptor_again(self) -> None:
        talk = running()
        call(talk, "first")

        assert found(talk, "VU-VRG-12") == []

    def test_right_after_the_start(self) -> None:
        talk = start(opened())
        call(talk, "second")

        assert found(talk, "VU-VRG-12") == []

    def test_soon_after_a_confirmed_start(self) -> None:
        talk = start(opened("REPLY_ACK"), need_reply=True)
        call(talk, "second", need_reply=True)
        talk.close("front-end")

        assert only(talk, "VU-VRG-12").frame == 13

    def test_whether_it_could_be_acknowledged_is_not_known(self) -> None:
        talk = start(Conversation())
        talk.silence(SECOND)
        call(talk, "second")

        assert found(talk, "VU-VRG-12") == []

    def test_while_the_ring_is_stopped(self) -> None:
        talk = running()
        stop(talk)
        call(talk, "second")

        assert found(talk, "VU-VRG-12") == []


class TestEnableConfirmed:
    """VU-VRG-20."""

    def test_nobody_waited_and_nothing_was_taken(self) -> None:
        talk = running("REPLY_ACK")
        stop(talk)

        finding = only(talk, "VU-VRG-20")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 11)
        assert "nothing confirms the start of ring 0" in finding.message
        assert "the back-end took nothing from any ring in 1.0 s" in finding.message

    def test_nobody_waited_and_it_went_well(self) -> None:
        talk = running("REPLY_ACK")
        stop(talk, 1)
        talk.close("front-end")

        assert found(talk, "VU-VRG-20") == []

    def test_nobody_waited_and_how_it_went_is_not_known(self) -> None:
        talk = running("REPLY_ACK")
        talk.close("front-end")

        finding = only(talk, "VU-VRG-20")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.FRONT_END, 11)
        assert "if the device hangs" in finding.message

    def test_nobody_waited_but_the_ring_was_stopped_at_once(self) -> None:
        talk = start(opened("REPLY_ACK"))
        stop(talk)

        assert found(talk, "VU-VRG-20") == []

    def test_acknowledged(self) -> None:
        talk = start(opened("REPLY_ACK"), need_reply=True)
        talk.silence(SECOND)
        stop(talk)

        assert found(talk, "VU-VRG-20") == []

    def test_what_was_offered_may_have_been_told_before_the_capture(self) -> None:
        talk = Conversation()
        talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"))
        talk.front_end("SET_FEATURES", features=1 << 30)
        start(talk)
        talk.silence(SECOND)
        stop(talk)

        assert only(talk, "VU-VRG-20").blame is Blame.FRONT_END

    def test_acknowledged_and_running_to_the_end(self) -> None:
        talk = start(opened("REPLY_ACK"), need_reply=True)
        talk.silence(SECOND)
        talk.close("front-end")

        assert found(talk, "VU-VRG-20") == []

    def test_a_question_as_a_barrier(self) -> None:
        talk = start(opened("REPLY_ACK"))
        talk.ask("GET_FEATURES", features=0)
        talk.silence(SECOND)
        stop(talk)

        assert found(talk, "VU-VRG-20") == []

    def test_an_answer_to_a_question_of_before_is_no_barrier(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("GET_FEATURES")
        start(talk)
        talk.back_end("GET_FEATURES", features=0)
        talk.silence(SECOND)
        stop(talk)

        assert only(talk, "VU-VRG-20").severity is Severity.WARNING

    def test_a_ring_that_stays_where_another_moves(self) -> None:
        talk = running("REPLY_ACK")
        talk.front_end("SET_VRING_BASE", index=1, num=0)
        talk.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd("other"),))
        talk.front_end("SET_VRING_ENABLE", index=1, num=1)
        stop(talk)
        talk.front_end("GET_VRING_BASE", index=1)
        talk.back_end("GET_VRING_BASE", index=1, num=7)

        assert found(talk, "VU-VRG-20") == []

    def test_all_rings_that_nobody_waited_for_are_named(self) -> None:
        talk = start(opened("REPLY_ACK"))
        talk.front_end("SET_VRING_BASE", index=1, num=0)
        talk.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd("other"),))
        talk.front_end("SET_VRING_ENABLE", index=1, num=1)
        talk.silence(SECOND)
        for index in (0, 1):
            talk.front_end("GET_VRING_BASE", index=index)
            talk.back_end("GET_VRING_BASE", index=index, num=0)

        assert "rings 0, 1" in only(talk, "VU-VRG-20").message

    def test_without_reply_ack_another_rule_speaks(self) -> None:
        talk = running()
        stop(talk)

        assert [finding.rule for finding in found(talk, "VU-VRG-20", "VU-VRG-21")] == ["VU-VRG-21"]


class TestDescriptorConfirmed:
    """VU-VRG-21."""

    @pytest.mark.parametrize(
        ("name", "old"), [("SET_VRING_CALL", "evt#1"), ("SET_VRING_KICK", "evt#2"), ("SET_VRING_ERR", "evt#3")]
    )
    def test_a_descriptor_of_a_running_ring_is_replaced(self, name: str, old: str) -> None:
        talk = running("REPLY_ACK")
        talk.front_end("SET_VRING_ERR", index=0, descriptors=(eventfd("err"),))
        talk.ask("GET_FEATURES", features=0)
        talk.front_end(name, index=0, descriptors=(eventfd("new"),))

        finding = only(talk, "VU-VRG-21")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (15, (11,))
        assert f"{old} of ring 0 becomes evt#4" in finding.message
        assert "without NEED_REPLY" in finding.message

    def test_acknowledged(self) -> None:
        talk = running("REPLY_ACK")
        call(talk, "second", need_reply=True)

        assert found(talk, "VU-VRG-21") == []

    def test_right_after_the_start(self) -> None:
        talk = start(opened("REPLY_ACK"))
        call(talk, "second")

        assert found(talk, "VU-VRG-21") == []

    def test_the_same_descriptor_again(self) -> None:
        talk = running("REPLY_ACK")
        call(talk, "first")

        assert found(talk, "VU-VRG-21") == []

    def test_a_start_that_nobody_can_confirm_and_that_goes_wrong(self) -> None:
        talk = running("MQ")
        stop(talk)

        finding = only(talk, "VU-VRG-21")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.BACK_END, 11)
        assert "nothing confirms the start of ring 0" in finding.message

    def test_a_start_that_nobody_can_confirm_and_that_goes_well(self) -> None:
        talk = running("MQ")
        stop(talk, 1)

        assert found(talk, "VU-VRG-21") == []

    def test_a_front_end_that_declines_acknowledgements(self) -> None:
        talk = Conversation()
        talk.open()
        talk.ask("GET_PROTOCOL_FEATURES", features=0xF)
        talk.front_end("SET_PROTOCOL_FEATURES", features=0)
        talk.front_end("SET_FEATURES", features=1 << 30)
        start(talk)
        talk.silence(SECOND)
        stop(talk)

        assert only(talk, "VU-VRG-21").blame is Blame.FRONT_END

    def test_what_was_offered_may_have_been_told_before_the_capture(self) -> None:
        talk = Conversation()
        talk.front_end("SET_FEATURES", features=1 << 30)
        start(talk)
        talk.silence(SECOND)
        stop(talk)

        assert found(talk, "VU-VRG-21") == []
