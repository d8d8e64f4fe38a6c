"""VU-RPL: the answers that come, and what they say."""

import struct

import pytest

from tests.conversation import Conversation, memfd, of_kind
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.linter import Linter
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.payloads import EMPTY, LOG, MEM_TABLE
from vudissect.session.session import Session

STRAYS = ("VU-RPL-01", "VU-RPL-02", "VU-RPL-07", "VU-RPL-12")


class TestWrongNumber:
    """VU-RPL-01."""

    def test_an_answer_to_something_else_than_is_due(self) -> None:
        talk = opened()
        talk.front_end("GET_VRING_BASE", index=0)
        talk.back_end("GET_STATUS", status=0)

        finding = only(talk, *STRAYS)

        assert (finding.rule, finding.severity, finding.blame) == ("VU-RPL-01", Severity.ERROR, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "the answer to GET_VRING_BASE (#8) is due" in finding.message
        assert "Expected 11 received 40" in finding.message

    def test_the_front_end_can_do_that_too(self) -> None:
        talk = opened("BACKEND_REQ", "REPLY_ACK", "CONFIG")
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True)
        talk.front_end("IOTLB_MSG", Channel.BACKEND, ack=0)

        assert only(talk, "VU-RPL-01").blame is Blame.FRONT_END

    def test_the_answer_that_is_due_passes(self) -> None:
        talk = opened()
        talk.front_end("GET_VRING_BASE", index=0)
        talk.back_end("GET_VRING_BASE", index=0)

        assert found(talk, *STRAYS) == []

    def test_what_follows_is_its_consequence(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("GET_VRING_BASE", index=0)
        talk.back_end("GET_STATUS", status=0)
        talk.back_end("GET_STATUS", status=0)
        talk.back_end("GET_VRING_BASE", index=0)
        talk.back_end("GET_VRING_BASE", index=0)
        talk.front_end("SET_OWNER", need_reply=True)

        assert [finding.frame for finding in found(talk, *STRAYS, "VU-RPL-03", "VU-RPL-04")] == [9]

    def test_the_other_channels_stay_in_step(self) -> None:
        talk = opened("REPLY_ACK", "BACKEND_REQ", "CONFIG")
        talk.front_end("GET_VRING_BASE", index=0)
        talk.back_end("GET_STATUS", status=0)
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True)
        for _ in range(2):
            talk.front_end("CONFIG_CHANGE_MSG", Channel.BACKEND, ack=0)

        assert [finding.rule for finding in found(talk, *STRAYS)] == ["VU-RPL-01", "VU-RPL-02"]


class TestExtraAnswer:
    """VU-RPL-02."""

    def test_a_second_answer(self) -> None:
        talk = opened("CONFIGURE_MEM_SLOTS")
        talk.ask("GET_MAX_MEM_SLOTS", slots=32)
        talk.back_end("GET_MAX_MEM_SLOTS", slots=32)

        finding = only(talk, *STRAYS)

        assert (finding.rule, finding.severity, finding.blame) == ("VU-RPL-02", Severity.ERROR, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (10, (8, 9))
        assert "GET_MAX_MEM_SLOTS (#8) was answered in #9 and is answered again" in finding.message

    def test_an_answer_that_was_not_asked_for(self) -> None:
        talk = opened("CONFIGURE_MEM_SLOTS", "REPLY_ACK")
        talk.front_end("ADD_MEM_REG", size=4096, descriptors=(memfd(),))
        talk.back_end("ADD_MEM_REG", ack=0)

        finding = only(talk, *STRAYS)

        assert (finding.rule, finding.frame, finding.frames) == ("VU-RPL-02", 9, (8,))
        assert "ADD_MEM_REG (#8) did not ask for an answer" in finding.message

    def test_the_same_question_asked_again_may_be_answered_again(self) -> None:
        talk = opened("CONFIGURE_MEM_SLOTS")
        for _ in range(2):
            talk.ask("GET_MAX_MEM_SLOTS", slots=32)

        assert found(talk, *STRAYS) == []

    def test_an_acknowledgement_that_was_asked_for_though_not_negotiated(self) -> None:
        talk = opened()
        talk.front_end("SET_OWNER", need_reply=True)
        talk.back_end("SET_OWNER", ack=0)

        assert found(talk, *STRAYS) == []

    def test_in_postcopy_the_front_end_has_asked_for_both(self) -> None:
        talk = opened("PAGEFAULT", "REPLY_ACK")
        talk.front_end("POSTCOPY_LISTEN", need_reply=True)
        talk.back_end("POSTCOPY_LISTEN", ack=0)
        talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),), need_reply=True)
        talk.back_end("SET_MEM_TABLE", layout=MEM_TABLE, regions=[{"size": 4096}])
        talk.back_end("SET_MEM_TABLE", ack=0)

        finding = only(talk, *STRAYS)

        assert (finding.rule, finding.blame, finding.frame) == ("VU-RPL-02", Blame.FRONT_END, 12)
        assert "NEED_REPLY asks for an acknowledgement besides the answer" in finding.message

    def test_silent_where_the_request_may_have_been_missed(self) -> None:
        talk = Conversation()
        talk.back_end("GET_FEATURES", features=0)

        assert found(talk, *STRAYS) == []

    def test_silent_after_a_gap(self) -> None:
        talk = opened()
        talk.event(RecordKind.GAP, connection=0, messages=1)
        talk.back_end("GET_FEATURES", features=0)

        assert found(talk, *STRAYS) == []

    def test_a_capture_that_has_caught_up_is_judged(self) -> None:
        talk = Conversation()
        talk.back_end("GET_FEATURES", features=0)
        talk.ask("GET_FEATURES", features=0)
        talk.back_end("GET_FEATURES", features=0)

        assert only(talk, *STRAYS).frame == 4


class TestFailure:
    """VU-RPL-05."""

    def test_an_acknowledgement_that_is_not_zero(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),), need_reply=True)
        talk.back_end("SET_MEM_TABLE", ack=22)

        finding = only(talk, "VU-RPL-05")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.UNKNOWN)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "SET_MEM_TABLE with mem#1 (#8) failed: the back-end answers 22" in finding.message

    def test_an_answer_that_is_a_result(self) -> None:
        talk = opened("DEVICE_STATE")
        talk.ask("CHECK_DEVICE_STATE", result=1)

        assert "CHECK_DEVICE_STATE (#8) failed" in only(talk, "VU-RPL-05").message

    @pytest.mark.parametrize(("value", "failures"), [(0x100, 0), (0x101, 1)])
    def test_only_the_error_bits_of_a_device_state_tell_of_failure(self, value: int, failures: int) -> None:
        talk = opened("DEVICE_STATE")
        talk.front_end("SET_DEVICE_STATE_FD", descriptors=(of_kind(DescriptorKind.PIPE, "state"),))
        talk.back_end("SET_DEVICE_STATE_FD", value=value)

        assert len(found(talk, "VU-RPL-05")) == failures

    def test_shared_objects_may_mean_the_reverse(self) -> None:
        talk = opened("BACKEND_REQ", "SHARED_OBJECT", "REPLY_ACK")
        talk.back_end("SHARED_OBJECT_ADD", Channel.BACKEND, uuid=b"1" * 16, need_reply=True)
        talk.front_end("SHARED_OBJECT_ADD", Channel.BACKEND, ack=1)

        finding = only(talk, "VU-RPL-05")

        assert finding.blame is Blame.FRONT_END
        assert "QEMU 8.2 to 9.1" in finding.message

    def test_success_passes(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("SET_OWNER", need_reply=True)
        talk.back_end("SET_OWNER", ack=0)

        assert found(talk, "VU-RPL-05") == []

    def test_a_number_that_is_no_result_passes(self) -> None:
        talk = opened("LOG_SHMFD")
        talk.front_end("SET_LOG_BASE", mmap_size=4096, descriptors=(memfd("log"),))
        talk.back_end("SET_LOG_BASE", value=4096)

        assert found(talk, "VU-RPL-05") == []


class TestAnswerSize:
    """VU-RPL-06."""

    def test_an_answer_that_is_too_short(self) -> None:
        talk = opened()
        talk.front_end("GET_FEATURES")
        talk.back_end("GET_FEATURES", payload=bytes(4))

        finding = only(talk, "VU-RPL-06")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "payload is 4 bytes, expected 8" in finding.message

    def logging(self, *, need_reply: bool) -> Conversation:
        talk = opened("LOG_SHMFD", "REPLY_ACK")
        talk.front_end("SET_LOG_BASE", mmap_size=4096, descriptors=(memfd("log"),), need_reply=need_reply)
        return talk

    def test_an_empty_answer_to_a_front_end_that_reads_sixteen_bytes(self) -> None:
        talk = self.logging(need_reply=True)
        talk.back_end("SET_LOG_BASE", layout=EMPTY)

        finding = only(talk, "VU-RPL-06")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 9, (8,))
        assert "SET_LOG_BASE (#8) has 0 bytes of payload" in finding.message
        assert "read 16" in finding.message

    def test_the_sixteen_bytes_pass(self) -> None:
        talk = self.logging(need_reply=True)
        talk.back_end("SET_LOG_BASE", layout=LOG)

        assert found(talk, "VU-RPL-06") == []

    def test_a_front_end_that_reads_any_size_is_content(self) -> None:
        talk = self.logging(need_reply=False)
        talk.back_end("SET_LOG_BASE", layout=EMPTY)

        assert found(talk, "VU-RPL-06") == []

    def test_a_message_of_which_not_all_was_recorded_is_not_judged(self) -> None:
        talk = opened()
        talk.front_end("GET_CONFIG", contents=bytes(200))
        data = struct.pack("<III", 24, 5, 300) + struct.pack("<III", 0, 288, 0)
        talk.raw(Side.BACK_END, data, length=312)

        assert found(talk, "VU-RPL-06") == []


class TestAcknowledgedOnTop:
    """VU-RPL-07."""

    def test_an_acknowledgement_beside_the_answer(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("GET_VRING_BASE", index=0, need_reply=True)
        talk.back_end("GET_VRING_BASE", index=0)
        talk.back_end("GET_VRING_BASE", payload=bytes(8))

        finding = only(talk, *STRAYS)

        assert (finding.rule, finding.severity, finding.blame) == ("VU-RPL-07", Severity.ERROR, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (10, (8, 9))
        assert "GET_VRING_BASE (#8) has its answer in #9 and is acknowledged on top" in finding.message

    def test_the_answer_alone_passes(self) -> None:
        talk = opened("REPLY_ACK")
        talk.front_end("GET_VRING_BASE", index=0, need_reply=True)
        talk.back_end("GET_VRING_BASE", index=0)

        assert found(talk, *STRAYS) == []


class TestNeedlessNeedReply:
    """VU-RPL-09."""

    def asked(self, *, need_reply: bool, header_flags: int) -> Conversation:
        talk = opened("REPLY_ACK")
        for _ in range(2):
            talk.front_end("GET_FEATURES", need_reply=need_reply)
            talk.back_end("GET_FEATURES", features=0, header_flags=header_flags)
        return talk

    def test_asked_for_and_repeated(self) -> None:
        finding = only(self.asked(need_reply=True, header_flags=0xD), "VU-RPL-09")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "flags 0xd" in finding.message

    def test_asked_for_and_not_repeated(self) -> None:
        assert found(self.asked(need_reply=True, header_flags=0x5), "VU-RPL-09") == []

    def test_what_was_not_asked_for_is_not_repeated(self) -> None:
        assert found(self.asked(need_reply=False, header_flags=0xD), "VU-RPL-09") == []


class TestOvertakenAnswer:
    """VU-RPL-11."""

    def test_answers_in_the_wrong_order(self) -> None:
        talk = opened("STATUS")
        talk.front_end("GET_FEATURES")
        talk.front_end("GET_STATUS")
        talk.back_end("GET_STATUS", status=0)
        talk.back_end("GET_FEATURES", features=0)

        finding = only(talk, "VU-RPL-11")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (11, (8, 10))
        assert "GET_FEATURES (#8) is answered after a later request, which was answered in #10" in finding.message

    def test_answers_in_order_pass(self) -> None:
        talk = opened("STATUS")
        talk.front_end("GET_FEATURES")
        talk.front_end("GET_STATUS")
        talk.back_end("GET_FEATURES", features=0)
        talk.back_end("GET_STATUS", status=0)

        assert found(talk, "VU-RPL-11") == []


class TestAnswerToNothing:
    """VU-RPL-12."""

    def test_an_answer_to_what_was_never_sent(self) -> None:
        talk = opened()
        talk.back_end("GET_STATUS", status=0)
        talk.ask("GET_FEATURES", features=0)

        finding = only(talk, *STRAYS)

        assert (finding.rule, finding.severity, finding.blame) == ("VU-RPL-12", Severity.ERROR, Blame.BACK_END)
        assert finding.frame == 8
        assert "GET_STATUS is answered, but was never sent" in finding.message

    def test_so_is_an_unknown_one(self) -> None:
        talk = opened()
        talk.back_end(77, payload=b"")

        assert "message 77" in only(talk, *STRAYS).message

    def test_half_a_header_is_no_answer(self) -> None:
        talk = opened()
        talk.raw(Side.BACK_END, b"\x01\0\0", length=3)

        assert found(talk, *STRAYS) == []


def test_numbers_without_end_are_not_all_remembered() -> None:
    talk = opened()
    for number in range(1000, 3000):
        talk.front_end(number, payload=b"")
        talk.back_end(number, payload=b"")
    session = Session()
    linter = Linter(session)
    for event in session.events(talk.records):
        linter.check(event)

    main = session.pairing(1)[Channel.MAIN]
    assert len(main.answered) + len(main.unasked) < 50
