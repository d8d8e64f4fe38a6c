"""How a session understands a conversation."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conversation import Conversation, eventfd, memfd
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.payloads import MEM_REG_CONSUMED
from vudissect.session.event import ConnectionEvent, Event, Kind, MessageEvent
from vudissect.session.session import Session, foresee

REPLY_ACK = PROTOCOL_FEATURES.mask("REPLY_ACK")
LOG_SHMFD = PROTOCOL_FEATURES.mask("LOG_SHMFD")
GPA_ADDRESSES = PROTOCOL_FEATURES.mask("GPA_ADDRESSES")
ACCESS_PLATFORM = VIRTIO_FEATURES.mask("ACCESS_PLATFORM")


def negotiated(protocol_features: int = 0, features: int = 0) -> Conversation:
    talk = Conversation()
    talk.ask("GET_FEATURES", features=features)
    talk.ask("GET_PROTOCOL_FEATURES", features=protocol_features)
    talk.front_end("SET_PROTOCOL_FEATURES", features=protocol_features)
    talk.front_end("SET_FEATURES", features=features)
    return talk


def unanswered(talk: Conversation) -> list[str]:
    session = Session()
    for record in talk.records:
        session.feed(record)
    return [request.row.name for request in session.unanswered()]


class TestPairing:
    def test_a_reply_belongs_to_its_request(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.back_end("GET_FEATURES", features=1)

        asked, answered = talk.events()

        assert asked.kind is Kind.REQUEST
        assert asked.awaits
        assert answered.kind is Kind.REPLY
        assert answered.request is not None
        assert answered.request.frame == asked.record.frame

    def test_the_latency_counts_from_forwarding_the_request_to_receiving_the_reply(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.back_end("GET_FEATURES", features=1)

        _, answered = talk.events()

        assert answered.latency == 1_000_000 - 1_000

    def test_pipelined_requests_are_answered_in_order(self) -> None:
        talk = Conversation()
        for ring in (0, 1):
            talk.front_end("GET_VRING_BASE", index=ring)
        for ring in (0, 1):
            talk.back_end("GET_VRING_BASE", index=ring)

        requests = [event.request.frame for event in talk.events() if event.request is not None]

        assert requests == [1, 2]

    def test_a_skipped_request_stays_unanswered(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.front_end("GET_PROTOCOL_FEATURES")
        talk.back_end("GET_PROTOCOL_FEATURES")

        assert unanswered(talk) == ["GET_FEATURES"]

    def test_a_skipped_request_keeps_the_frame_of_the_first_later_answer(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.front_end("GET_PROTOCOL_FEATURES")
        talk.back_end("GET_PROTOCOL_FEATURES")
        talk.back_end("GET_FEATURES")

        overtaken = [event.request.overtaken for event in talk.events() if event.request is not None]

        assert overtaken == [0, 3]

    def test_the_last_answered_request_and_the_last_without_need_reply_are_kept(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.front_end("SET_OWNER")
        talk.back_end("GET_FEATURES")

        session = Session()
        for record in talk.records:
            session.feed(record)
        main = session.pairing(1)[Channel.MAIN]

        assert [(request.frame, answer) for request, answer in main.answered.values()] == [(1, 3)]
        assert list(main.unasked.values()) == [2]

    @pytest.mark.parametrize("connection", [0, 1])
    def test_a_gap_discards_pending_requests(self, connection: int) -> None:
        talk = Conversation()
        talk.open()
        talk.front_end("GET_FEATURES")
        talk.event(RecordKind.GAP, connection=connection, messages=3)
        session = Session()
        for record in talk.records:
            session.feed(record)

        assert session.unanswered() == ()
        assert not session.states[1].whole

    def test_an_acknowledgement_is_not_a_reply(self) -> None:
        talk = negotiated(REPLY_ACK)
        talk.front_end("SET_VRING_NUM", need_reply=True)
        talk.back_end("SET_VRING_NUM", ack=0)

        assert talk.events()[-1].kind is Kind.ACK

    def test_an_unexpected_answer_has_no_request(self) -> None:
        talk = Conversation()
        talk.back_end("GET_FEATURES")

        (event,) = talk.events()

        assert event.request is None
        assert event.latency is None

    def test_channels_are_paired_separately(self) -> None:
        talk = negotiated(REPLY_ACK)
        talk.front_end("IOTLB_MSG", type=2)
        talk.back_end("IOTLB_MSG", Channel.BACKEND, type=1, need_reply=True)
        talk.front_end("IOTLB_MSG", Channel.BACKEND, ack=0)

        *_, acknowledged = talk.events()

        assert acknowledged.request is not None
        assert acknowledged.request.channel is Channel.BACKEND
        assert unanswered(talk) == ["IOTLB_MSG"]


class TestWhatIsOwed:
    def test_nothing_for_a_message_without_need_reply(self) -> None:
        talk = negotiated(REPLY_ACK)
        talk.front_end("SET_VRING_NUM")

        assert unanswered(talk) == []

    def test_an_acknowledgement_if_asked_for(self) -> None:
        talk = negotiated(REPLY_ACK)
        talk.front_end("SET_VRING_NUM", need_reply=True)

        assert unanswered(talk) == ["SET_VRING_NUM"]

    def test_none_if_reply_ack_was_not_negotiated(self) -> None:
        talk = negotiated()
        talk.front_end("SET_VRING_NUM", need_reply=True)

        assert unanswered(talk) == []

    def test_though_one_may_come(self) -> None:
        talk = negotiated()
        talk.front_end("SET_VRING_NUM", need_reply=True)
        talk.back_end("SET_VRING_NUM", ack=0)

        assert talk.events()[-1].request is not None

    @pytest.mark.parametrize(("features", "owed"), [(0, []), (LOG_SHMFD, ["SET_LOG_BASE"])])
    def test_a_reply_to_the_log_base_with_log_shmfd(self, features: int, owed: list[str]) -> None:
        talk = negotiated(features)
        talk.front_end("SET_LOG_BASE", mmap_size=4096, descriptors=(memfd("log"),))

        assert unanswered(talk) == owed

    def test_the_memory_table_is_answered_between_listen_and_end(self) -> None:
        talk = negotiated()
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),))
        talk.front_end("POSTCOPY_LISTEN")
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),))

        assert unanswered(talk) == ["SET_MEM_TABLE"]

    def test_nothing_for_the_messages_that_end_a_postcopy_exchange(self) -> None:
        talk = negotiated()
        talk.front_end("POSTCOPY_LISTEN")
        talk.front_end("SET_MEM_TABLE")
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED)

        assert unanswered(talk) == []

    def test_the_close_reports_unanswered_requests(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.event(RecordKind.CONNECTION_CLOSED, by="back-end", how="eof")

        closed = talk.events()[-1]

        assert [request.frame for request in closed.unanswered] == [1]
        assert unanswered(talk) == []


class TestNegotiation:
    def test_the_frames_that_offered_and_acknowledged_are_known(self) -> None:
        talk = negotiated(REPLY_ACK)

        protocol_features = talk.events()[-1].after.protocol_features

        assert (protocol_features.offered_in, protocol_features.acked_in) == (4, 5)

    @pytest.mark.parametrize(("device", "rings"), [("blk", 4), ("net", 9), (None, 9)])
    def test_network_devices_count_queues_in_pairs(self, device: str | None, rings: int) -> None:
        talk = Conversation()
        talk.ask("GET_QUEUE_NUM", queues=4)

        connection = talk.events(device=device_by_name(device) if device else None)[-1].after

        assert connection.most_rings == rings


class TestMemory:
    REGIONS = (
        {"guest_addr": 0, "size": 0xA0000, "user_addr": 0x7F00_0000_0000},
        {"guest_addr": 0x10_0000, "size": 0x10_0000, "user_addr": 0x7F00_0010_0000, "mmap_offset": 0x10_0000},
    )

    def state(self, talk: Conversation) -> Event:
        return talk.events()[-1]

    def table(self, protocol_features: int = 0, features: int = 0) -> Conversation:
        talk = negotiated(protocol_features, features)
        talk.front_end("SET_MEM_TABLE", regions=self.REGIONS, descriptors=(memfd(), memfd()))
        return talk

    @pytest.mark.parametrize(
        ("address", "place"),
        [
            (0x7F00_0000_0000, (0, 0)),
            (0x7F00_0009_FFFF, (0, 0x9FFFF)),
            (0x7F00_000A_0000, None),
            (0x7F00_0010_1000, (1, 0x1000)),
            (0x7F00_0020_0000, None),
            (0x7EFF_FFFF_FFFF, None),
            (0, None),
        ],
    )
    def test_a_ring_address_is_a_place_in_a_region(self, address: int, place: tuple[int, int] | None) -> None:
        found = self.state(self.table()).after.ring_address(address)

        assert (None if found is None else (found.region.number, found.offset)) == place

    def test_with_access_platform_a_ring_address_is_not_a_user_address(self) -> None:
        connection = self.state(self.table(features=ACCESS_PLATFORM)).after

        assert connection.ring_address(0x7F00_0000_0000) is None

    def test_with_gpa_addresses_a_ring_address_is_a_guest_address(self) -> None:
        place = self.state(self.table(protocol_features=GPA_ADDRESSES)).after.ring_address(0x10_1000)

        assert place is not None
        assert (place.region.number, place.offset) == (1, 0x1000)

    def test_regions_share_the_name_of_their_descriptor(self) -> None:
        regions = self.state(self.table()).after.memory.regions

        assert [region.descriptor for region in regions] == ["mem#1", "mem#1"]

    def test_a_region_can_be_added_and_removed(self) -> None:
        talk = self.table()
        region = {"guest_addr": 0x1_0000_0000, "size": 0x1000, "user_addr": 0x7F10_0000_0000}
        talk.front_end("ADD_MEM_REG", descriptors=(memfd("dimm"),), **region)
        added = [region.guest_addr for region in self.state(talk).after.memory.regions]
        talk.front_end("REM_MEM_REG", **region)
        removed = self.state(talk)

        assert added == [0, 0x10_0000, 0x1_0000_0000]
        assert len(removed.after.memory.regions) == 2
        assert removed.replaced == "mem#2"

    def test_the_messages_that_end_a_postcopy_exchange_change_nothing(self) -> None:
        talk = self.table()
        talk.front_end("POSTCOPY_LISTEN")
        talk.front_end("SET_MEM_TABLE")
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED)

        assert len(self.state(talk).after.memory.regions) == 2


class TestDescriptors:
    def test_the_same_open_object_keeps_its_name(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(7),))
        talk.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd(8),))
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(7),))

        names = [(event.descriptors[0].name, event.descriptors[0].first) for event in talk.events()]

        assert names == [("evt#1", 1), ("evt#2", 2), ("evt#1", 1)]

    def test_an_object_without_identity_is_new_each_time(self) -> None:
        talk = Conversation()
        unknown = Descriptor(DescriptorKind.USERFAULTFD)
        talk.back_end("POSTCOPY_ADVISE", descriptors=(unknown,))
        talk.back_end("POSTCOPY_ADVISE", descriptors=(unknown,))

        assert [event.descriptors[0].name for event in talk.events()] == ["uffd#1", "uffd#2"]

    def test_a_new_call_descriptor_replaces_the_old_one(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(1),))
        talk.front_end("SET_VRING_CALL", index=1, descriptors=(eventfd(2),))
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(3),))

        assert [event.replaced for event in talk.events()] == ["", "", "evt#1"]

    def test_the_kick_of_a_ring_is_not_its_call(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(2),))

        assert [event.replaced for event in talk.events()] == ["", ""]


class TestDevice:
    def device(self, talk: Conversation) -> str | None:
        guessed = foresee(talk.records)[1].guess.device
        return guessed.name if guessed is not None else None

    def test_the_size_of_the_configuration_space_identifies_it(self) -> None:
        talk = Conversation()
        talk.front_end("GET_CONFIG", contents=bytes(60))
        talk.back_end("GET_CONFIG", contents=bytes(60))

        assert self.device(talk) == "blk"

    def test_so_do_the_feature_bits(self) -> None:
        net = device_by_name("net")
        assert net is not None
        talk = Conversation()
        talk.ask("GET_FEATURES", features=net.features.mask("MRG_RXBUF", "CTRL_VQ", "MQ", "GUEST_ANNOUNCE"))

        assert self.device(talk) == "net"

    @pytest.mark.parametrize(("command", "device"), [("virtiofsd", "fs"), ("vhost-device-vs", "vsock")])
    def test_so_does_a_program_that_serves_one_device(self, command: str, device: str) -> None:
        talk = Conversation()
        talk.event(RecordKind.CONNECTION_OPENED, back_end_command=command)

        assert self.device(talk) == device

    def test_ambiguous_evidence_is_not_used(self) -> None:
        talk = negotiated()

        assert self.device(talk) is None

    def test_the_user_overrides_the_guess(self) -> None:
        talk = Conversation()
        talk.front_end("GET_CONFIG", contents=bytes(60))
        talk.back_end("GET_CONFIG", contents=bytes(60))

        (*_, last) = talk.events(device=device_by_name("scsi"))

        assert last.after.guess.device is device_by_name("scsi")


def test_connections_do_not_mix() -> None:
    talk = Conversation()
    talk.front_end("GET_FEATURES", connection=1)
    talk.back_end("GET_FEATURES", connection=2)

    assert talk.events()[-1].request is None


def test_a_closed_connection_is_forgotten() -> None:
    session = Session()
    talk = Conversation()
    for number in range(1, 50):
        talk.front_end("GET_FEATURES", connection=number)
        talk.event(RecordKind.CONNECTION_CLOSED, connection=number, by="front-end")
    for record in talk.records:
        session.feed(record)

    assert session.states == {}


def test_big_endian_messages_are_understood() -> None:
    talk = Conversation("big")
    talk.front_end("SET_VRING_NUM", index=1, num=256)

    (event,) = talk.events()

    assert event.message is not None
    assert event.message.values == (1, 256)


def test_a_connection_event_has_no_message_and_leaves_requests_unanswered() -> None:
    talk = Conversation()
    talk.front_end("GET_FEATURES")
    talk.event(RecordKind.CONNECTION_CLOSED, by="front-end")

    asked, closed = talk.events()

    assert isinstance(asked, MessageEvent)
    assert isinstance(closed, ConnectionEvent)
    assert [request.frame for request in closed.unanswered] == [asked.record.frame]


def test_a_malformed_message_is_an_event() -> None:
    talk = Conversation()
    talk.raw(Side.FRONT_END, struct.pack("<III", 8, 1, 4) + b"abcd")

    (event,) = talk.events()

    assert event.kind is Kind.MALFORMED


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Channel),
            st.sampled_from([Side.FRONT_END, Side.BACK_END]),
            st.integers(0, 50),
            st.sampled_from([0, 1, 5, 9, 13]),
            st.one_of(st.binary(max_size=80), st.sampled_from([b"", bytes(8), bytes(40), b"\xff" * 8, b"\xff" * 72])),
        ),
        max_size=30,
    )
)
def test_hostile_traffic_gets_one_event_a_record(said: list[tuple[Channel, Side, int, int, bytes]]) -> None:
    talk = Conversation()
    for channel, side, number, flags, payload in said:
        talk.raw(side, struct.pack("<III", number, flags, len(payload)) + payload, channel, descriptors=(eventfd(1),))

    assert [event.record for event in talk.events()] == talk.records


def test_a_table_without_regions_replaces_no_descriptor() -> None:
    talk = Conversation()
    talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),))
    talk.front_end("SET_MEM_TABLE")

    assert [event.replaced for event in talk.events()] == ["", ""]


def test_events_are_values_that_can_be_kept_and_compared() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))
    talk.front_end("GET_VRING_BASE", index=0)

    started, stopped = talk.events()

    assert [event.after.rings[0].started.value for event in (started, stopped)] == ["started", "stopped"]
    assert stopped.before == started.after
    assert talk.events() == talk.events()
