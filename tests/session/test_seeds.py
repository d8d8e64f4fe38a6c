"""Four of the five documents that the project began with, statement by statement; the first has its own module."""

import struct

import pytest

from tests.conversation import Conversation, memfd, of_kind
from tests.session.seeds import Heard, always_answered, fields, protocol_of, row_of, rows_of
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Answer, Channel, FdKind, PhaseNeeded, Side
from vudissect.session.event import Kind


class TestSlaveRfc:
    """Seed 001: the channel on which the back-end sends requests."""

    protocol = protocol_of("slave-rfc")

    def test_the_messages_of_the_day(self) -> None:
        assert rows_of(self.protocol) == {
            1: ("GET_FEATURES", "0", "8"),
            2: ("SET_FEATURES", "8", ""),
            3: ("SET_OWNER", "0", ""),
            4: ("RESET_OWNER", "0", ""),
            5: ("SET_MEM_TABLE", "8 + 32 x nregions", "8 + 32 x nregions"),
            6: ("SET_LOG_BASE", "16", "8"),
            7: ("SET_LOG_FD", "0", ""),
            8: ("SET_VRING_NUM", "8", ""),
            9: ("SET_VRING_ADDR", "40", ""),
            10: ("SET_VRING_BASE", "8", ""),
            11: ("GET_VRING_BASE", "8", "8"),
            12: ("SET_VRING_KICK", "8", ""),
            13: ("SET_VRING_CALL", "8", ""),
            14: ("SET_VRING_ERR", "8", ""),
            15: ("GET_PROTOCOL_FEATURES", "0", "8"),
            16: ("SET_PROTOCOL_FEATURES", "8", ""),
            17: ("GET_QUEUE_NUM", "0", "8"),
            18: ("SET_VRING_ENABLE", "8", ""),
            19: ("SEND_RARP", "8", ""),
            20: ("NET_SET_MTU", "8", ""),
            21: ("SET_SLAVE_REQ_FD", "0", ""),
        }

    def test_the_master_initiates_every_message(self) -> None:
        assert {row.initiator for row in self.protocol.messages} == {Side.FRONT_END}

    def test_the_slave_has_no_message_yet(self) -> None:
        assert self.protocol.channel(Channel.BACKEND) == ()

    def test_the_protocol_features_of_the_day(self) -> None:
        names = {bit.number: bit.name for bit in self.protocol.protocol_features.bits}

        assert names == {0: "MQ", 1: "LOG_SHMFD", 2: "RARP", 3: "REPLY_ACK", 4: "MTU", 5: "SLAVE_REQ"}

    def test_the_descriptor_is_a_socket_and_opens_the_channel(self) -> None:
        row = row_of(self.protocol, "SET_SLAVE_REQ_FD")

        assert (row.fds.kind, row.fds.least, row.fds.most, row.opens) == (FdKind.SOCKET, 1, 1, Channel.BACKEND)

    def test_the_feature_only_needs_to_be_offered(self) -> None:
        gate = row_of(self.protocol, "SET_SLAVE_REQ_FD").gate

        assert (gate.protocol, gate.phase) == (("SLAVE_REQ",), PhaseNeeded.OFFERED)

    def test_the_later_name_is_understood(self) -> None:
        assert [row.id for row in self.protocol.find("VHOST_USER_SET_BACKEND_REQ_FD")] == [21]

    def test_a_valid_mtu_is_answered_with_zero(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("SET_PROTOCOL_FEATURES", features=1 << 3 | 1 << 4)
        talk.front_end("NET_SET_MTU", mtu=1500, need_reply=True)
        talk.back_end("NET_SET_MTU", ack=0)

        last = Heard(talk).last

        assert last.request is not None
        assert (last.kind, last.request.owed, fields(last)) == (Kind.ACK, True, {"result": 0})

    def test_the_socket_is_handed_over(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("SET_SLAVE_REQ_FD", descriptors=(of_kind(DescriptorKind.SOCKET, "channel"),))

        last = Heard(talk).last

        assert (last.kind, [named.name for named in last.descriptors]) == (Kind.REQUEST, ["sock#1"])


class TestConfigRfc:
    """Seed 002: the configuration space of the device."""

    protocol = protocol_of("config-rfc")
    blk = struct.pack("<Q", 2048)

    def test_the_three_messages(self) -> None:
        table = rows_of(self.protocol)
        change = row_of(self.protocol, "CONFIG_CHANGE_MSG", Channel.BACKEND)

        assert table[24] == ("GET_CONFIG", "12 + size", "12 + size")
        assert table[25] == ("SET_CONFIG", "12 + size", "")
        assert (change.id, change.request[0].size_text, change.reply) == (2, "0", ())

    def test_the_payload_is_offset_size_flags_and_contents(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.raw(Side.FRONT_END, struct.pack("<IIIIII", 25, 1, 16, 32, 4, 1) + b"\1\2\3\4")

        assert fields(Heard(talk).last) == {"offset": 32, "size": 4, "flags": 1, "contents": "01020304"}

    def test_the_flags_distinguish_the_driver_from_live_migration(self) -> None:
        flags = row_of(self.protocol, "SET_CONFIG").request[0].fields[2]

        assert dict(flags.choices) == {0: "writable", 1: "live migration"}

    def test_no_feature_is_needed(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("GET_CONFIG", offset=0, contents=bytes(8))
        talk.back_end("GET_CONFIG", offset=0, contents=self.blk)

        last = Heard(talk).last

        assert (last.kind, fields(last)["contents"]) == (Kind.REPLY, self.blk.hex())
        assert row_of(self.protocol, "GET_CONFIG").gate.protocol == ()
        assert "CONFIG" not in self.protocol.protocol_features.numbers

    def test_an_empty_answer_is_an_error(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("GET_CONFIG", offset=0, contents=bytes(8))
        talk.back_end("GET_CONFIG", payload=b"")

        last = Heard(talk).last

        assert last.message is not None
        assert last.message.fits
        assert (last.kind, last.message.layout.note) == (Kind.REPLY, "the back-end could not answer")

    def test_the_device_announces_a_change_with_need_reply(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("SET_PROTOCOL_FEATURES", features=1 << 3 | 1 << 5)
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True)
        talk.front_end("CONFIG_CHANGE_MSG", Channel.BACKEND, ack=0)

        last = Heard(talk).last

        assert last.request is not None
        assert (last.kind, last.request.owed) == (Kind.ACK, True)

    def test_the_number_of_queues_is_in_pairs(self) -> None:
        assert row_of(self.protocol, "GET_QUEUE_NUM").reply[0].fields[0].note == "queue pairs"

    def test_the_kinds_of_iotlb_messages(self) -> None:
        kind = row_of(self.protocol, "IOTLB_MSG").request[0].fields[4]

        assert [kind.choices[number] for number in (1, 2, 3, 4)] == ["MISS", "UPDATE", "INVALIDATE", "ACCESS_FAIL"]

    @pytest.mark.parametrize(("features", "place"), [(1 << 32, "region0+0x1000"), (1 << 33, None)])
    def test_a_ring_address_is_a_user_address_unless_there_is_an_iommu(self, features: int, place: str | None) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("SET_FEATURES", features=features)
        region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000, "mmap_offset": 0}
        talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(),))

        found = Heard(talk).state.ring_address(0x7F00_0000_1000)

        assert (f"region{found.region.number}+{found.offset:#x}" if found else None) == place


class TestProbeV2:
    """Seed 003: a back-end that reports which device it is."""

    protocol = protocol_of("probe-v2")

    def test_the_three_requests_have_32_bit_replies(self) -> None:
        table = rows_of(self.protocol)

        assert {number: table[number] for number in (41, 42, 43)} == {
            41: ("GET_DEVICE_ID", "0", "4"),
            42: ("GET_CONFIG_SIZE", "0", "4"),
            43: ("GET_MIN_VQ", "0", "4"),
        }

    def test_the_feature_is_number_18_and_gates_them(self) -> None:
        assert self.protocol.protocol_features.by_number[18].name == "PROBE"
        assert {row.gate.protocol for row in self.protocol.messages if row.id in (41, 42, 43)} == {("PROBE",)}

    def test_the_neighbouring_features(self) -> None:
        numbers = self.protocol.protocol_features.numbers

        assert [numbers[name] for name in ("CONFIG", "CONFIGURE_MEM_SLOTS", "STATUS", "XEN_MMAP")] == [9, 15, 16, 17]

    def test_a_front_end_learns_the_device_from_the_back_end(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.ask("GET_DEVICE_ID", device_id=2)
        talk.ask("GET_CONFIG_SIZE", config_size=60)
        talk.ask("GET_MIN_VQ", min_vqs=1)

        replies = Heard(talk).events[1::2]

        assert [fields(reply) for reply in replies] == [{"device_id": 2}, {"config_size": 60}, {"min_vqs": 1}]
        assert all(reply.kind is Kind.REPLY and reply.request is not None for reply in replies)

    def test_eight_bytes_are_not_a_reply(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("GET_MIN_VQ")
        talk.back_end("GET_MIN_VQ", payload=bytes(8))

        last = Heard(talk).last

        assert last.message is not None
        assert last.message.problem == "payload is 8 bytes, expected 4"

    def test_what_else_is_answered(self) -> None:
        named = {"GET_VRING_BASE", "GET_INFLIGHT_FD", "GET_DEVICE_ID", "GET_CONFIG_SIZE", "GET_MIN_VQ"}

        assert named <= always_answered(self.protocol)
        assert row_of(self.protocol, "SET_LOG_BASE").answer is Answer.IF_LOG_SHMFD

    def test_the_left_over_request_belongs_to_the_previous_draft(self) -> None:
        before = protocol_of("standalone-v1")
        talk = Conversation(protocol=before)
        talk.ask("GET_BACKEND_SPECS", device_id=26, config_size=44, min_vqs=2, max_vqs=9)

        assert self.protocol.find("GET_BACKEND_SPECS") == ()
        assert row_of(before, "GET_BACKEND_SPECS").gate.protocol == ("STANDALONE",)
        assert fields(Heard(talk).last) == {"device_id": 26, "config_size": 44, "min_vqs": 2, "max_vqs": 9}


class TestReplyAckV1:
    """Seed 004: the acknowledgement on request."""

    protocol = protocol_of("reply-ack-v1")

    def talk(self) -> Conversation:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("SET_PROTOCOL_FEATURES", features=1 << 3)
        return talk

    def test_the_feature_is_number_3(self) -> None:
        names = {bit.number: bit.name for bit in self.protocol.protocol_features.bits}

        assert names == {0: "MQ", 1: "LOG_SHMFD", 2: "RARP", 3: "REPLY_ACK"}

    @pytest.mark.parametrize("result", [0, 1])
    def test_bit_3_of_the_flags_asks_for_a_64_bit_result(self, result: int) -> None:
        talk = self.talk()
        talk.front_end("SET_MEM_TABLE", header_flags=0x9, regions=[{"size": 4096}], descriptors=(memfd(),))
        talk.raw(Side.BACK_END, struct.pack("<IIIQ", 5, 5, 8, result))

        last = Heard(talk).last

        assert last.request is not None
        assert (last.kind, last.request.owed, fields(last)) == (Kind.ACK, True, {"result": result})

    def test_without_the_bit_nothing_is_owed(self) -> None:
        talk = self.talk()
        talk.front_end("SET_VRING_NUM", index=0, num=256)

        assert not Heard(talk).last.awaits

    def test_without_the_feature_the_bit_has_no_effect(self) -> None:
        talk = Conversation(protocol=self.protocol)
        talk.front_end("SET_VRING_NUM", index=0, num=256, need_reply=True)
        session = Heard(talk)

        assert session.owed() == ()

    @pytest.mark.parametrize("need_reply", [False, True])
    def test_the_bit_does_not_change_an_explicit_reply(self, need_reply: bool) -> None:
        talk = self.talk()
        talk.front_end("GET_FEATURES", need_reply=need_reply)
        talk.back_end("GET_FEATURES", features=5)
        heard = Heard(talk)

        assert (heard.last.kind, fields(heard.last)) == (Kind.REPLY, {"features": 5})
        assert heard.owed() == ()

    def test_the_four_messages_with_an_explicit_reply(self) -> None:
        named = {"GET_FEATURES", "GET_PROTOCOL_FEATURES", "GET_VRING_BASE"}

        assert named <= always_answered(self.protocol)
        assert row_of(self.protocol, "SET_LOG_BASE").answer is Answer.IF_LOG_SHMFD

    def test_the_last_message_of_the_day(self) -> None:
        assert max(rows_of(self.protocol)) == 19
