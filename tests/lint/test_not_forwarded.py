"""What was not forwarded was seen by nobody: only how it is made can be wrong."""

from tests.conversation import SECOND, Conversation, eventfd, memfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.capture.record import Mark
from vudissect.lint.finding import Blame

LOST = Mark.NOT_FORWARDED


def running() -> Conversation:
    """A device whose ring has been running for a while, with REPLY_ACK."""
    talk = opened("REPLY_ACK", "MQ")
    talk.front_end("SET_MEM_TABLE", regions=[{"size": 1 << 20}], descriptors=(memfd(),))
    talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(1),))
    talk.front_end("SET_VRING_NUM", index=0, num=256)
    talk.front_end("SET_VRING_BASE", index=0, num=0)
    talk.front_end("SET_VRING_ADDR", index=0, desc=0x1000, used=0x3000, avail=0x2000)
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(2),))
    talk.front_end("SET_VRING_ENABLE", index=0, num=1, need_reply=True)
    talk.back_end("SET_VRING_ENABLE", ack=0)
    talk.silence(3 * SECOND)
    return talk


def test_a_call_descriptor_is_replaced() -> None:
    talk = running()
    talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(3),))

    assert only(talk, "VU-VRG-21").blame is Blame.FRONT_END


def test_one_that_was_not_forwarded_replaces_nothing() -> None:
    talk = running()
    talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(3),), marks=LOST)
    talk.close("back-end")

    assert found(talk, "VU-VRG-21") == []


def test_the_one_finding_is_that_the_back_end_is_gone() -> None:
    talk = opened("REPLY_ACK")
    talk.front_end("SET_OWNER")
    talk.silence(1246 * SECOND)
    talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),), need_reply=True, marks=LOST)
    talk.front_end("GET_VRING_BASE", index=7, marks=LOST)
    talk.close("back-end", "reset")

    finding = only(talk, "VU-RPL-03", "VU-RPL-04", "VU-RPL-08", "VU-RPL-10", "VU-TIM-04", "VU-END-01", "VU-VRG-05")

    assert (finding.rule, finding.frame, finding.blame) == ("VU-RPL-08", 9, Blame.BACK_END)
    assert "the last message it received is SET_OWNER (#8)" in finding.message


def test_an_answer_that_comes_too_late_leaves_nobody_out_of_step() -> None:
    talk = opened("REPLY_ACK")
    talk.back_end("SET_OWNER", ack=0, marks=LOST)
    talk.close("front-end")

    assert found(talk, "VU-RPL-01", "VU-RPL-02", "VU-RPL-12") == []


def test_after_an_answer_that_it_did_not_get_the_front_end_had_no_answer_to_mind() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("GET_FEATURES")
    talk.back_end("GET_FEATURES", features=1 << 30, marks=LOST)
    talk.close("front-end")

    assert found(talk, "VU-END-02") == []


def test_how_it_is_made_can_be_wrong_all_the_same() -> None:
    talk = opened("REPLY_ACK")
    talk.front_end("SET_OWNER", header_flags=3, marks=LOST)

    assert only(talk, "VU-HDR-02").blame is Blame.FRONT_END
