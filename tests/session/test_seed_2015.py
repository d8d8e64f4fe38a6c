"""The first of the five documents that the project began with, statement by statement."""

import struct

import pytest

from tests.conversation import Conversation, eventfd
from tests.session.dialects import judge
from tests.session.seeds import Heard, always_answered, fields, protocol_of, row_of, rows_of
from vudissect.protocol.model import Channel, Side
from vudissect.session.event import Kind
from vudissect.wire.codec import Codec

REPLY_ALL, MUST_RUN = 1 << 0, 1 << 1


class TestMst2015:
    """Seed 000: protocol features, failures, and rings that are started and stopped, of 2015."""

    protocol = protocol_of("mst-2015")

    def talk(self, features: int = 0) -> Conversation:
        talk = Conversation(protocol=self.protocol)
        talk.ask("GET_FEATURES", features=0)
        talk.ask("GET_PROTOCOL_FEATURES", features=REPLY_ALL | MUST_RUN)
        talk.front_end("SET_PROTOCOL_FEATURES", features=features)
        talk.front_end("SET_FEATURES", features=0)
        return talk

    def test_the_four_new_messages(self) -> None:
        table = rows_of(self.protocol)

        assert {number: table[number] for number in range(15, 19)} == {
            15: ("GET_RUNNING", "8", "8"),
            16: ("SET_RUNNING", "8", ""),
            17: ("GET_PROTOCOL_FEATURES", "0", "8"),
            18: ("SET_PROTOCOL_FEATURES", "8", ""),
        }

    def test_the_older_messages_are_unchanged(self) -> None:
        assert [name for name, _, _ in rows_of(self.protocol).values()][:14] == [
            "GET_FEATURES",
            "SET_FEATURES",
            "SET_OWNER",
            "RESET_OWNER",
            "SET_MEM_TABLE",
            "SET_LOG_BASE",
            "SET_LOG_FD",
            "SET_VRING_NUM",
            "SET_VRING_ADDR",
            "SET_VRING_BASE",
            "GET_VRING_BASE",
            "SET_VRING_KICK",
            "SET_VRING_CALL",
            "SET_VRING_ERR",
        ]

    def test_the_two_protocol_features(self) -> None:
        assert self.protocol.protocol_features.numbers == {"REPLY_ALL": 0, "MUST_RUN": 1}

    def test_what_is_always_answered(self) -> None:
        expected = {"GET_FEATURES", "GET_VRING_BASE", "GET_PROTOCOL_FEATURES", "GET_RUNNING"}

        assert always_answered(self.protocol) == expected

    def test_the_messages_with_descriptors(self) -> None:
        carriers = {row.name for row in self.protocol.messages if row.fds.most}

        assert carriers == {"SET_MEM_TABLE", "SET_LOG_FD", "SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR"}

    def test_the_new_messages_are_not_valid_in_version_1(self) -> None:
        assert {row.id: row.version for row in self.protocol.messages if row.version != 1} == {
            15: 2,
            16: 2,
            17: 2,
            18: 2,
        }

    @pytest.mark.parametrize("name", ["GET_RUNNING", "SET_RUNNING"])
    def test_with_must_run_rings_are_only_started_by_a_message(self, name: str) -> None:
        assert row_of(self.protocol, name).gate.protocol == ("MUST_RUN",)

    @pytest.mark.parametrize("version", [1, 2])
    def test_a_request_may_have_either_version(self, version: int) -> None:
        talk = self.talk()
        talk.front_end("SET_VRING_NUM", index=0, num=256, header_flags=version)

        assert Heard(talk).last.kind is Kind.REQUEST

    @pytest.mark.parametrize("flags", [0x5, 0x6])
    def test_an_answer_has_the_version_of_the_request_or_the_first(self, flags: int) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("GET_FEATURES", header_flags=2)
        talk.back_end("GET_FEATURES", features=1, header_flags=flags)

        last = Heard(talk).last

        assert (last.kind, last.request is not None, fields(last)) == (Kind.REPLY, True, {"features": 1})

    def test_with_reply_all_every_other_message_must_be_sent_back(self) -> None:
        talk = self.talk(REPLY_ALL)
        talk.front_end("SET_VRING_NUM", index=3, num=256)
        asked = Heard(talk).last
        talk.back_end("SET_VRING_NUM", index=3, num=256)
        answer = Heard(talk).last

        assert asked.awaits
        assert answer.request is not None
        assert answer.request.owed
        assert answer.request.frame == asked.record.frame
        assert (answer.kind, fields(answer)) == (Kind.REPLY, {"index": 3, "num": 256})

    def test_without_reply_all_nothing_is_owed(self) -> None:
        talk = self.talk()
        talk.front_end("SET_VRING_NUM", index=3, num=256)

        assert not Heard(talk).last.awaits

    def test_a_request_that_cannot_be_answered_is_sent_back_with_bit_31(self) -> None:
        talk = self.talk(REPLY_ALL)
        talk.front_end("SET_VRING_NUM", index=3, num=256)
        talk.raw(Side.BACK_END, struct.pack("<IIIII", 8 | 1 << 31, 5, 8, 3, 256))

        last = Heard(talk).last

        assert last.message is not None
        assert (last.message.error, last.message.problem) == (True, "")
        assert last.request is not None
        assert last.request.id == 8
        assert fields(last) == {"index": 3, "num": 256}

    def test_a_request_with_a_reply_that_cannot_be_answered_is_also_sent_back(self) -> None:
        codec = Codec(self.protocol, "little")
        wire = struct.pack("<III", 17 | 1 << 31, 6, 0)

        decoded = codec.decode(Channel.MAIN, Side.BACK_END, wire)

        assert (decoded.id, decoded.error, decoded.problem) == (17, True, "")

    def test_a_ring_starts_when_it_is_set_running(self) -> None:
        talk = self.talk(MUST_RUN)
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))
        kicked = Heard(talk).started()
        talk.front_end("SET_RUNNING", index=0, num=1)

        assert (kicked, Heard(talk).started()) == (False, True)

    def test_without_must_run_a_kick_starts_it(self) -> None:
        talk = self.talk()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))

        assert Heard(talk).started()

    @pytest.mark.parametrize(("name", "contents"), [("SET_RUNNING", {"index": 0, "num": 0}), ("RESET_OWNER", {})])
    def test_it_stops_when_it_is_set_not_running_and_when_the_owner_is_reset(
        self, name: str, contents: dict[str, int]
    ) -> None:
        talk = self.talk(MUST_RUN)
        talk.front_end("SET_RUNNING", index=0, num=1)
        talk.front_end(name, **contents)

        assert not Heard(talk).started()

    def test_the_running_state_of_a_ring_can_be_requested(self) -> None:
        talk = self.talk(MUST_RUN)
        talk.front_end("GET_RUNNING", index=0, num=0)
        talk.back_end("GET_RUNNING", index=0, num=1)

        last = Heard(talk).last

        assert (last.kind, fields(last)) == (Kind.REPLY, {"index": 0, "num": 1})

    def test_it_is_recognised(self) -> None:
        assert judge(self.talk(REPLY_ALL)).dialect.key == "mst-2015"
