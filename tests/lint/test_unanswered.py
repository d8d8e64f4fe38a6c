"""VU-RPL-03, 04, 08 and 10: answers that never come."""

from tests.conversation import SECOND, Conversation, memfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.model import Channel
from vudissect.protocol.payloads import LOG_ADDRESS

HANGS = ("VU-RPL-03", "VU-RPL-04", "VU-RPL-08", "VU-RPL-10")


def asking() -> Conversation:
    """A connection on which the eighth record is a request that needs an answer."""
    talk = opened("REPLY_ACK")
    talk.front_end("GET_VRING_BASE", index=0)
    return talk


class TestMissingAnswer:
    """VU-RPL-03."""

    def test_nothing_comes_until_the_front_end_gives_up(self) -> None:
        talk = asking()
        talk.silence(60 * SECOND)
        talk.close("front-end")

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.severity, finding.blame) == ("VU-RPL-03", Severity.ERROR, Blame.BACK_END)
        assert finding.frame == 8
        assert "GET_VRING_BASE (#8) never got its answer" in finding.message
        assert "for 60.0 s, until the front-end closed" in finding.message

    def test_nothing_comes_until_the_capture_ends(self) -> None:
        assert "until the capture ends, right after it" in only(asking(), *HANGS).message

    def test_where_the_capture_goes_on_with_another_connection_that_is_how_long_it_waited(self) -> None:
        talk = asking()
        talk.silence(40 * SECOND)
        talk.open(connection=2)

        assert "nothing arrived for 40.0 s, until the capture ends" in only(talk, *HANGS).message

    def test_those_behind_it_are_named_with_it(self) -> None:
        talk = asking()
        talk.front_end("SET_OWNER", need_reply=True)
        talk.front_end("GET_FEATURES")

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.frame, finding.frames) == ("VU-RPL-03", 8, (9, 10))
        assert "#9 and #10 got none either" in finding.message

    def test_one_that_was_passed_over(self) -> None:
        talk = asking()
        talk.ask("GET_FEATURES", features=0)
        talk.silence(60 * SECOND)
        talk.close("front-end")

        assert "a later request was answered in #10" in only(talk, *HANGS).message

    def test_an_answer_on_condition(self) -> None:
        talk = opened("LOG_SHMFD", "REPLY_ACK")
        talk.front_end("SET_LOG_BASE", mmap_size=4096, descriptors=(memfd("log"),), need_reply=True)

        assert only(talk, *HANGS).rule == "VU-RPL-03"

    def test_on_the_gpu_channel_the_front_end_answers(self) -> None:
        talk = opened()
        talk.back_end("GET_DISPLAY_INFO", Channel.GPU)

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.blame) == ("VU-RPL-03", Blame.FRONT_END)

    def test_a_frame_in_a_hidden_window_may_wait(self) -> None:
        talk = opened()
        talk.back_end("DMABUF_UPDATE", Channel.GPU)

        assert found(talk, *HANGS) == []

    def test_a_late_answer_is_an_answer(self) -> None:
        talk = asking()
        talk.silence(60 * SECOND)
        talk.back_end("GET_VRING_BASE", index=0)
        talk.close("front-end")

        assert found(talk, *HANGS) == []

    def test_silent_where_the_answer_may_be_in_a_gap(self) -> None:
        talk = asking()
        talk.event(RecordKind.GAP, connection=0, messages=1)
        talk.silence(60 * SECOND)
        talk.close("front-end")

        assert found(talk, *HANGS) == []


class TestMissingAcknowledgement:
    """VU-RPL-04."""

    def test_nothing_comes(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("SET_VRING_NUM", index=0, num=256, need_reply=True)
        talk.silence(60 * SECOND)
        talk.close("front-end")

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.severity, finding.blame) == ("VU-RPL-04", Severity.ERROR, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (8, (6,))
        assert "SET_VRING_NUM (#8) never got its acknowledgement" in finding.message
        assert "REPLY_ACK was negotiated in #6" in finding.message

    def test_all_that_are_missing_are_listed_with_the_first(self) -> None:
        talk = opened("REPLY_ACK")
        for ring in range(4):
            talk.front_end("SET_VRING_NUM", index=ring, num=256, need_reply=True)

        finding = only(talk, *HANGS)

        assert (finding.frame, finding.frames) == (8, (6, 9, 10, 11))
        assert "#9, #10 and #11 got none either" in finding.message

    def test_on_the_back_end_channel_the_front_end_answers(self) -> None:
        talk = opened("REPLY_ACK", "BACKEND_REQ", "CONFIG")
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True)

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.blame, finding.frame) == ("VU-RPL-04", Blame.FRONT_END, 8)

    def test_who_did_not_ask_waits_for_nothing(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("SET_VRING_NUM", index=0, num=256)

        assert found(talk, *HANGS) == []


class TestClosedInstead:
    """VU-RPL-08."""

    def test_the_back_end_hangs_up(self) -> None:
        talk = asking()
        talk.close("back-end")

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.severity, finding.blame) == ("VU-RPL-08", Severity.ERROR, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (8, (9,))
        assert "after GET_VRING_BASE ring 0 (#8) instead of answering it" in finding.message
        assert "Original request 11" in finding.message
        assert "answered nothing" not in finding.message

    def test_a_message_that_is_too_long_to_be_remembered(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", size=4096, contents=bytes(4096))
        talk.close("back-end")

        assert "after GET_CONFIG (#8) instead of answering it" in only(talk, *HANGS).message

    def test_before_it_has_answered_anything(self) -> None:
        talk = Conversation()
        talk.open()
        talk.front_end("GET_FEATURES")
        talk.close("back-end")

        assert "without any answer on this connection" in only(talk, *HANGS).message

    def test_on_a_message_that_is_wrong_it_may_have_its_reasons(self) -> None:
        talk = opened("MQ")
        talk.front_end("GET_MAX_MEM_SLOTS")
        talk.close("back-end")

        _, finding = found(talk, "VU-NEG-06", "VU-RPL-08")

        assert (finding.frame, finding.blame) == (8, Blame.UNKNOWN)
        assert "the reason may be VU-NEG-06" in finding.message

    def test_what_it_no_longer_takes(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("SET_OWNER")
        for _ in range(3):
            talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),), marks=Mark.NOT_FORWARDED)
        talk.close("back-end", "reset")

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.blame, finding.frame, finding.frames) == (
            "VU-RPL-08",
            Blame.BACK_END,
            9,
            (8,),
        )
        assert "SET_MEM_TABLE with mem#1 (#9) was sent after the back-end was gone" in finding.message
        assert "the last message it received is SET_OWNER (#8); it breaks no rule" in finding.message

    def test_what_it_no_longer_takes_after_a_message_that_breaks_a_rule(self) -> None:
        talk = opened()
        talk.front_end("SET_FEATURES", features=1)
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),), marks=Mark.NOT_FORWARDED)
        talk.close("back-end", "reset")

        _, finding = found(talk, "VU-NEG-01", "VU-RPL-08")

        assert (finding.blame, finding.frame) == (Blame.UNKNOWN, 9)
        assert "the reason may be VU-NEG-01 on this message" in finding.message

    def test_the_same_end_of_the_next_connection_is_not_told_again(self) -> None:
        talk = Conversation()
        for connection in (1, 2, 3):
            talk.open(connection=connection)
            talk.front_end("GET_FEATURES", connection=connection)
            talk.close("back-end", connection=connection)

        assert only(talk, *HANGS).frame == 2

    def test_another_end_is(self) -> None:
        talk = Conversation()
        for connection, name in ((1, "GET_FEATURES"), (2, "GET_PROTOCOL_FEATURES")):
            talk.open(connection=connection)
            talk.front_end(name, connection=connection)
            talk.close("back-end", connection=connection)

        assert [finding.frame for finding in found(talk, *HANGS)] == [2, 5]

    def test_a_back_end_may_leave_when_nothing_is_due(self) -> None:
        talk = opened("REPLY_ACK")
        talk.close("back-end")

        assert found(talk, *HANGS) == []


class TestWaitEdges:
    """VU-RPL-10."""

    def deadlock(self) -> Conversation:
        talk = opened("REPLY_ACK", "BACKEND_REQ", "CONFIG")
        talk.silence(5 * SECOND)
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True)
        talk.front_end("GET_VRING_BASE", index=0)
        return talk

    def test_each_side_waits_for_the_other(self) -> None:
        talk = self.deadlock()
        talk.silence(180 * SECOND)
        talk.event(RecordKind.CHANNEL_CLOSED, Channel.BACKEND, by="proxy", how="the main channel was closed")
        talk.close("front-end")

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.severity, finding.blame) == ("VU-RPL-10", Severity.ERROR, Blame.BOTH)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "from 5.0 s on the front-end waits for the answer to GET_VRING_BASE (#9) on the main" in finding.message
        assert "the back-end for the answer to CONFIG_CHANGE_MSG (#8) on the backend channel" in finding.message

    def test_also_where_both_sockets_are_closed_by_the_same_exit(self) -> None:
        talk = self.deadlock()
        talk.silence(180 * SECOND)
        talk.event(RecordKind.CHANNEL_CLOSED, Channel.BACKEND, by="front-end", how="eof")
        talk.close("front-end")

        assert only(talk, *HANGS).blame is Blame.BOTH

    def test_also_where_the_back_end_is_killed(self) -> None:
        talk = self.deadlock()
        talk.silence(180 * SECOND)
        talk.event(RecordKind.CHANNEL_CLOSED, Channel.BACKEND, by="back-end", how="eof")
        talk.close("back-end")

        assert only(talk, *HANGS).blame is Blame.BOTH

    def test_also_where_the_capture_ends(self) -> None:
        assert only(self.deadlock(), *HANGS).blame is Blame.BOTH

    def test_what_waits_behind_is_named(self) -> None:
        talk = self.deadlock()
        talk.front_end("GET_FEATURES")

        finding = only(talk, *HANGS)

        assert finding.frames == (8, 10)
        assert "also waiting: #10" in finding.message

    def test_a_channel_that_was_closed_long_before_is_no_part_of_it(self) -> None:
        talk = self.deadlock()
        talk.event(RecordKind.CHANNEL_CLOSED, Channel.BACKEND, by="back-end", how="eof")
        talk.silence(180 * SECOND)
        talk.close("front-end")

        assert only(talk, *HANGS).rule == "VU-RPL-03"

    def test_once_one_is_answered_there_is_no_deadlock(self) -> None:
        talk = self.deadlock()
        talk.front_end("CONFIG_CHANGE_MSG", Channel.BACKEND, ack=0)

        assert only(talk, *HANGS).rule == "VU-RPL-03"

    def test_an_acknowledgement_that_was_not_agreed_on(self) -> None:
        talk = opened("MQ")
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),), need_reply=True)
        talk.silence(60 * SECOND)
        talk.close("front-end")

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.severity, finding.blame, finding.frame) == (
            "VU-RPL-10",
            Severity.INFO,
            Blame.FRONT_END,
            8,
        )
        assert "REPLY_ACK was not negotiated" in finding.message

    def test_which_came_all_the_same(self) -> None:
        talk = opened("MQ")
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),), need_reply=True)
        talk.back_end("SET_MEM_TABLE", ack=0)
        talk.silence(60 * SECOND)
        talk.close("front-end")

        assert found(talk, *HANGS) == []

    def test_or_was_not_waited_for(self) -> None:
        talk = opened("MQ")
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),), need_reply=True)
        talk.front_end("SET_OWNER")
        talk.silence(60 * SECOND)
        talk.close("front-end")

        assert found(talk, *HANGS) == []

    def test_an_answer_that_only_another_feature_brings(self) -> None:
        talk = opened("MQ")
        talk.front_end("SET_LOG_BASE", layout=LOG_ADDRESS)

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.blame, finding.frame) == ("VU-RPL-10", Blame.UNKNOWN, 8)
        assert "without LOG_SHMFD it is not answered" in finding.message

    def test_who_leaves_at_once_is_told_from_who_hangs(self) -> None:
        talk = asking()
        talk.close("front-end")

        finding = only(talk, *HANGS)

        assert (finding.rule, finding.blame, finding.frame) == ("VU-RPL-10", Blame.UNKNOWN, 8)
        assert "before the answer arrived" in finding.message
