"""VU-HDR: headers, and how messages come over the socket."""

import struct

import pytest

from tests.conversation import SECOND, Conversation, eventfd, memfd
from tests.lint import found, only
from vudissect.capture.record import Mark
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.dialects.drafts import MST_2015
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Side

REPLY_ACK = PROTOCOL_FEATURES.mask("REPLY_ACK")
NEGOTIABLE = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")


class TestKnownNumber:
    """VU-HDR-01."""

    @pytest.mark.parametrize("number", [0, 77, 1000])
    def test_a_number_that_is_not_defined(self, number: int) -> None:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=0)
        talk.front_end(number, payload=bytes(8))

        finding = only(talk, "VU-HDR-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 3)
        assert f"message {number} of the main channel" in finding.message
        assert "size 8" in finding.message

    def test_one_of_the_next_numbers_is_newer_than_the_table(self) -> None:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=0)
        talk.front_end(46, payload=bytes(8))

        finding = only(talk, "VU-HDR-01")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.UNKNOWN)
        assert "message 46 of the main channel (number 0x2e, flags 0x1, size 8) is newer" in finding.message
        assert "which ends with 45" in finding.message

    def test_any_number_is_newer_where_a_feature_bit_is(self) -> None:
        talk = Conversation()
        talk.ask("GET_PROTOCOL_FEATURES", features=1 << 24)
        talk.front_end(300, payload=bytes(8))

        assert only(talk, "VU-HDR-01").severity is Severity.INFO

    def test_one_of_the_back_end_channel(self) -> None:
        talk = Conversation()
        talk.back_end(99, Channel.BACKEND, payload=b"")

        finding = only(talk, "VU-HDR-01")

        assert finding.blame is Blame.BACK_END
        assert "message 99 of the backend channel" in finding.message

    def test_is_told_once_for_each_number(self) -> None:
        talk = Conversation()
        for number in (60, 60, 61):
            talk.front_end(number, payload=b"")

        assert [finding.frame for finding in found(talk, "VU-HDR-01")] == [1, 3]

    def test_all_that_are_defined_pass(self) -> None:
        talk = Conversation()
        for row in talk.protocol.channel(Channel.MAIN):
            talk.front_end(row.id)

        assert found(talk, "VU-HDR-01") == []

    def test_a_draft_knows_its_own(self) -> None:
        talk = Conversation(protocol=MST_2015.protocol)
        talk.front_end("GET_RUNNING", index=0)

        assert found(talk, "VU-HDR-01") == []

    def test_bytes_that_are_no_header_are_told_once(self) -> None:
        talk = Conversation()
        for _ in range(3):
            talk.raw(Side.FRONT_END, b"\xde\xad\xbe\xef" * 2 + b"\0\0\0\0")

        finding = only(talk, "VU-HDR-01")

        assert finding.frame == 1
        assert "number 0xefbeadde, flags 0xefbeadde" in finding.message
        assert "out of step" in finding.message

    def test_a_header_in_the_other_byte_order(self) -> None:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=0)
        talk.raw(Side.FRONT_END, struct.pack(">III", 3, 1, 0))

        assert "the other byte order (number 0x3000000, flags 0x1000000" in only(talk, "VU-HDR-01").message

    def test_an_unknown_answer_belongs_to_the_rules_of_answers(self) -> None:
        talk = Conversation()
        talk.back_end(77, payload=b"")

        assert found(talk, "VU-HDR-01") == []

    def offered(self, features: int) -> Conversation:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=features)
        talk.front_end("GET_PROTOCOL_FEATURES")
        return talk

    def test_a_back_end_that_hangs_up_on_what_it_offers(self) -> None:
        talk = self.offered(NEGOTIABLE)
        talk.close("back-end")

        finding = only(talk, "VU-HDR-01")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 3, (4,))
        assert "hung up on GET_PROTOCOL_FEATURES (message 15)" in finding.message

    def test_or_leaves_it_unanswered(self) -> None:
        talk = self.offered(NEGOTIABLE)
        talk.silence(2 * SECOND)
        talk.close("front-end")

        assert "never answered GET_PROTOCOL_FEATURES" in only(talk, "VU-HDR-01").message

    def test_not_if_the_front_end_leaves_at_once(self) -> None:
        talk = self.offered(NEGOTIABLE)
        talk.close("front-end")

        assert found(talk, "VU-HDR-01") == []

    def test_not_if_it_was_never_offered(self) -> None:
        talk = self.offered(0)
        talk.close("back-end")

        assert found(talk, "VU-HDR-01") == []


class TestVersion:
    """VU-HDR-02."""

    def test_another_version(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER", header_flags=0x2)

        finding = only(talk, "VU-HDR-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 1)
        assert "SET_OWNER has header version 2, not 1 (flags 0x2)" in finding.message

    def test_in_an_answer_it_is_the_back_end(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.back_end("GET_FEATURES", header_flags=0x4)

        assert only(talk, "VU-HDR-02").blame is Blame.BACK_END

    def test_the_draft_of_2015_has_two(self) -> None:
        talk = Conversation(protocol=MST_2015.protocol)
        for flags in (0x1, 0x2):
            talk.front_end("GET_FEATURES", header_flags=flags)

        assert found(talk, "VU-HDR-02") == []

    def test_the_gpu_channel_has_none(self) -> None:
        talk = Conversation()
        talk.back_end("CURSOR_POS", Channel.GPU)
        talk.back_end("CURSOR_POS", Channel.GPU, header_flags=0x2)

        assert found(talk, "VU-HDR-02") == []


class TestReplyFlag:
    """VU-HDR-03."""

    def test_an_answer_without_it(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.back_end("GET_FEATURES", header_flags=0x1)

        finding = only(talk, "VU-HDR-03")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 2, (1,))
        assert "the answer to GET_FEATURES lacks the REPLY flag (flags 0x1)" in finding.message

    def test_a_request_with_it(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER", header_flags=0x5)

        finding = only(talk, "VU-HDR-03")

        assert finding.blame is Blame.FRONT_END
        assert "SET_OWNER is a request but has the REPLY flag (flags 0x5)" in finding.message

    def test_as_it_should_be_on_both_channels(self) -> None:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=0)
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True)
        talk.front_end("CONFIG_CHANGE_MSG", Channel.BACKEND, ack=0)

        assert found(talk, "VU-HDR-03") == []

    def test_the_flags_of_the_gpu_channel_are_whatever_was_in_memory(self) -> None:
        talk = Conversation()
        talk.back_end("SCANOUT", Channel.GPU, header_flags=0x5)

        assert found(talk, "VU-HDR-03") == []


class TestReservedFlags:
    """VU-HDR-04."""

    def test_a_reserved_bit(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER", header_flags=0x101)

        finding = only(talk, "VU-HDR-04")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert "SET_OWNER has flags 0x101: the bits 0x100 are reserved" in finding.message

    @pytest.mark.parametrize("flags", [0x1, 0x9])
    def test_the_bits_with_a_meaning(self, flags: int) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER", header_flags=flags)

        assert found(talk, "VU-HDR-04") == []


class TestReplyNeedsReply:
    """VU-HDR-05."""

    def test_an_answer_that_repeats_the_flags_of_its_request(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES", need_reply=True)
        talk.back_end("GET_FEATURES", header_flags=0xD)

        finding = only(talk, "VU-HDR-05")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 2, (1,))
        assert "the answer to GET_FEATURES repeats the request's NEED_REPLY (flags 0xd)" in finding.message

    def test_an_answer_that_does_not(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES", need_reply=True)
        talk.back_end("GET_FEATURES")

        assert found(talk, "VU-HDR-05") == []


class TestNeedReply:
    """VU-HDR-06."""

    def negotiated(self, offered: int, acked: int) -> Conversation:
        talk = Conversation()
        talk.ask("GET_PROTOCOL_FEATURES", features=offered)
        talk.front_end("SET_PROTOCOL_FEATURES", features=acked)
        return talk

    @pytest.mark.parametrize(
        ("offered", "why"),
        [(0, "the back-end does not offer REPLY_ACK"), (REPLY_ACK, "the front-end did not acknowledge the REPLY_ACK")],
    )
    def test_without_reply_ack(self, offered: int, why: str) -> None:
        talk = self.negotiated(offered, 0)
        talk.front_end("SET_VRING_NUM", need_reply=True)

        finding = only(talk, "VU-HDR-06")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 4)
        assert "SET_VRING_NUM asks for an acknowledgement" in finding.message
        assert why in finding.message

    def test_without_any_negotiation(self) -> None:
        talk = Conversation()
        talk.open()
        talk.front_end("SET_OWNER", need_reply=True)

        assert "REPLY_ACK was not negotiated" in only(talk, "VU-HDR-06").message

    def test_with_reply_ack(self) -> None:
        talk = self.negotiated(REPLY_ACK, REPLY_ACK)
        talk.front_end("SET_VRING_NUM", need_reply=True)

        assert found(talk, "VU-HDR-06") == []

    def test_what_is_answered_in_any_case(self) -> None:
        talk = self.negotiated(0, 0)
        talk.front_end("GET_QUEUE_NUM", need_reply=True)

        assert found(talk, "VU-HDR-06") == []

    def test_in_mid_session_it_may_have_been_negotiated(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_NUM", need_reply=True)

        assert found(talk, "VU-HDR-06") == []


class TestPayloadSize:
    """VU-HDR-07."""

    def test_another_size(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_NUM", payload=bytes(4))

        finding = only(talk, "VU-HDR-07")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 1)
        assert "SET_VRING_NUM: the payload is 4 bytes, expected 8" in finding.message

    def test_a_size_that_the_contents_belie(self) -> None:
        talk = Conversation()
        talk.front_end("GET_CONFIG", payload=struct.pack("<III", 0, 60, 0) + bytes(8))

        assert "GET_CONFIG: the payload is 20 bytes, expected 12 + size" in only(talk, "VU-HDR-07").message

    def test_a_message_that_never_became_complete(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_ADDR", cut_short=30)

        finding = only(talk, "VU-HDR-07")

        assert "SET_VRING_ADDR was never completed, cut short: 18 of 40 payload bytes" in finding.message

    def test_a_header_that_never_became_complete(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER", cut_short=5)

        assert "header cut short: 5 of 12 bytes" in only(talk, "VU-HDR-07").message

    @pytest.mark.parametrize("size", [8, 16])
    def test_every_size_that_is_defined(self, size: int) -> None:
        talk = Conversation()
        talk.front_end("SET_LOG_BASE", payload=bytes(size))

        assert found(talk, "VU-HDR-07") == []

    def test_some_messages_and_all_answers_have_their_own_rules(self) -> None:
        talk = Conversation()
        talk.front_end("CREATE_CRYPTO_SESSION", payload=bytes(100))
        talk.back_end("UPDATE", Channel.GPU, payload=struct.pack("<5I", 0, 0, 0, 10, 10))
        talk.front_end("SET_MEM_TABLE", payload=bytes(7))
        talk.front_end("GET_FEATURES")
        talk.back_end("GET_FEATURES", payload=bytes(4))

        assert found(talk, "VU-HDR-07") == []

    def test_what_the_snap_length_hides_is_not_judged(self) -> None:
        talk = Conversation()
        talk.raw(Side.FRONT_END, struct.pack("<III", 9, 1, 40), length=52)

        assert found(talk, "VU-HDR-07") == []


class TestReceiversLimit:
    """VU-HDR-08."""

    def config(self, size: int, back_end: str = "") -> Conversation:
        talk = Conversation()
        talk.open("", back_end)
        talk.front_end("SET_CONFIG", contents=bytes(size))
        return talk

    def test_more_than_anybody_takes(self) -> None:
        finding = only(self.config(5000), "VU-HDR-08")

        assert (finding.blame, finding.frame) == (Blame.FRONT_END, 2)
        assert "SET_CONFIG has 5012 bytes of payload" in finding.message
        assert "room for 4096" in finding.message

    def test_more_than_this_receiver_takes(self) -> None:
        finding = only(self.config(512, "qemu-storage-da"), "VU-HDR-08")

        assert "SET_CONFIG has 524 bytes of payload, but libvhost-user has room for 272" in finding.message

    def test_as_much_as_it_takes(self) -> None:
        assert found(self.config(260, "qemu-storage-da"), "VU-HDR-08") == []

    def test_as_much_as_some_take_where_the_receiver_is_not_known(self) -> None:
        assert found(self.config(4000), "VU-HDR-08") == []

    def test_pixels_are_many(self) -> None:
        talk = Conversation()
        talk.back_end("UPDATE", Channel.GPU, width=100, height=100, pixels=bytes(40_000))

        assert found(talk, "VU-HDR-08") == []


class TestOneWrite:
    """VU-HDR-09."""

    def test_a_request_in_pieces(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_ADDR", marks=Mark.SPLIT)

        finding = only(talk, "VU-HDR-09")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 1)
        assert "SET_VRING_ADDR (52 bytes) came in more than one piece" in finding.message

    def test_libvhost_user_writes_header_and_payload_apart(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.back_end("GET_FEATURES", marks=Mark.SPLIT)

        assert found(talk, "VU-HDR-09") == []

    def test_a_read_of_the_proxy_may_end_anywhere_in_a_stream(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_ADDR", marks=Mark.SPLIT | Mark.GLUED)

        assert found(talk, "VU-HDR-09") == []


class TestDescriptorsLost:
    """VU-HDR-10."""

    def test_lost_descriptors(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}, {}], descriptors=(memfd(),), marks=Mark.DESCRIPTORS_LOST)

        finding = only(talk, "VU-HDR-10")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.UNKNOWN, 1)
        assert "dropped descriptors of SET_MEM_TABLE, 1 left" in finding.message

    def test_are_not_missed_once_more(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}], marks=Mark.DESCRIPTORS_LOST)
        talk.front_end("SET_VRING_KICK", index=0, marks=Mark.DESCRIPTORS_LOST)

        assert found(talk, "VU-FD-02", "VU-FD-03") == []

    def test_as_many_as_there_should_be(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),))

        assert found(talk, "VU-HDR-10") == []


class TestGluedDescriptors:
    """VU-HDR-11."""

    def test_a_descriptor_behind_other_messages_of_a_read(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_NUM", index=0, num=256)
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),), marks=Mark.GLUED)
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(2),), marks=Mark.GLUED)

        finding = only(talk, "VU-HDR-11")

        assert (finding.severity, finding.frame) == (Severity.INFO, 2)
        assert "SET_VRING_KICK and its evt#1" in finding.message

    def test_glued_messages_without_descriptors_are_everyday(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_NUM", index=0, num=256)
        talk.front_end("SET_VRING_BASE", index=0, marks=Mark.GLUED)

        assert found(talk, "VU-HDR-11") == []


class TestErrorBit:
    """VU-HDR-12."""

    def failure(self, talk: Conversation) -> Conversation:
        talk.front_end("SET_OWNER")
        talk.raw(Side.BACK_END, struct.pack("<III", 0x8000_0003, 5, 0))
        return talk

    def test_outside_its_draft(self) -> None:
        finding = only(self.failure(Conversation()), "VU-HDR-12")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 2)
        assert "message 0x80000003 is SET_OWNER with the error bit" in finding.message
        assert "mst-2015" in finding.message

    def test_in_its_draft(self) -> None:
        assert found(self.failure(Conversation(protocol=MST_2015.protocol)), "VU-HDR-12") == []

    def test_is_not_an_unknown_message_as_well(self) -> None:
        talk = Conversation()
        talk.raw(Side.FRONT_END, struct.pack("<III", 0x8000_0003, 1, 0))

        assert [finding.rule for finding in found(talk, "VU-HDR-01", "VU-HDR-12")] == ["VU-HDR-12"]

    def test_of_an_unknown_message_it_is_a_part_of_the_number(self) -> None:
        talk = Conversation()
        talk.raw(Side.FRONT_END, struct.pack("<III", 0x8000_1234, 1, 0))

        assert [finding.rule for finding in found(talk, "VU-HDR-01", "VU-HDR-12")] == ["VU-HDR-01"]


class TestByteOrder:
    """VU-HDR-13."""

    def test_big_endian_peers(self) -> None:
        talk = Conversation("big")
        talk.ask("GET_FEATURES", features=0)
        talk.ask("GET_PROTOCOL_FEATURES", features=0)

        finding = only(talk, "VU-HDR-13")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.COMPAT, Blame.UNKNOWN, 1)
        assert "the front-end sends big-endian" in finding.message

    def test_each_in_its_own(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.raw(Side.BACK_END, struct.pack(">IIIQ", 1, 5, 8, 0), marks=Mark.BIG_ENDIAN)

        finding = only(talk, "VU-HDR-13")

        assert (finding.blame, finding.frame) == (Blame.BOTH, 2)
        assert "the back-end sends big-endian, the front-end little-endian" in finding.message

    def test_little_endian_peers(self) -> None:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=0)

        assert found(talk, "VU-HDR-13") == []
