"""VU-NEG: features that are offered, acknowledged, and needed."""

import pytest

from tests.conversation import SECOND, Conversation, eventfd, memfd, of_kind
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.devices.network import NET
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.dialects.drafts import MST_2015
from vudissect.protocol.dialects.probing import PROBE_V2, STANDALONE_V1
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel
from vudissect.protocol.payloads import MEM_REG_CONSUMED, MEM_REG_XEN, MEM_TABLE_XEN

NEGOTIABLE = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")
VERSION_1 = VIRTIO_FEATURES.mask("VERSION_1")
LOG_ALL = VIRTIO_FEATURES.mask("LOG_ALL")
EVENT_IDX = VIRTIO_FEATURES.mask("EVENT_IDX")


def offered(features: int = NEGOTIABLE, *protocol_features: str) -> Conversation:
    """A connection from its beginning until features are offered: five records."""
    talk = Conversation()
    talk.open()
    talk.ask("GET_FEATURES", features=features)
    talk.ask("GET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask(*protocol_features))
    return talk


def acknowledged(*protocol_features: str) -> Conversation:
    """These protocol features are offered and acknowledged, in the sixth record."""
    talk = offered(NEGOTIABLE, *protocol_features)
    talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask(*protocol_features))
    return talk


class TestUnofferedFeatures:
    """VU-NEG-01."""

    def test_a_feature_that_was_not_offered(self) -> None:
        mac = NET.features.mask("MAC")
        talk = offered(NEGOTIABLE | VERSION_1)
        talk.front_end("SET_FEATURES", features=VERSION_1 | mac)

        (finding,) = found(talk, "VU-NEG-01", device=NET)

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 6)
        assert finding.frames == (3,)
        assert "acknowledges MAC, which the back-end did not offer in #3" in finding.message

    def test_the_last_offer_counts(self) -> None:
        talk = offered(NEGOTIABLE | VERSION_1)
        talk.ask("GET_FEATURES", features=NEGOTIABLE)
        talk.front_end("SET_FEATURES", features=VERSION_1)

        assert only(talk, "VU-NEG-01").frames == (7,)

    def test_less_than_was_offered_passes(self) -> None:
        talk = offered(NEGOTIABLE | VERSION_1)
        talk.front_end("SET_FEATURES", features=VERSION_1)

        assert found(talk, "VU-NEG-01") == []

    def test_silent_where_the_offer_was_not_seen(self) -> None:
        talk = Conversation()
        talk.front_end("SET_FEATURES", features=VERSION_1)

        assert found(talk, "VU-NEG-01") == []


class TestUnofferedProtocolFeatures:
    """VU-NEG-02."""

    def test_a_feature_that_was_not_offered(self) -> None:
        talk = offered(NEGOTIABLE, "MQ")
        talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK"))

        finding = only(talk, "VU-NEG-02")

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.ERROR,
            Blame.FRONT_END,
            6,
            (5,),
        )
        assert "acknowledges REPLY_ACK, which the back-end did not offer in #5" in finding.message

    def test_a_bit_without_a_name(self) -> None:
        talk = offered(NEGOTIABLE, "MQ")
        talk.front_end("SET_PROTOCOL_FEATURES", features=1 << 40)

        assert "bit 40" in only(talk, "VU-NEG-02").message

    def test_what_was_offered_passes(self) -> None:
        assert found(acknowledged("MQ", "REPLY_ACK"), "VU-NEG-02") == []


class TestUnofferedNegotiation:
    """VU-NEG-03."""

    def test_asked_though_the_back_end_has_none(self) -> None:
        talk = offered(VERSION_1)

        finding = only(talk, "VU-NEG-03")

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.ERROR,
            Blame.FRONT_END,
            4,
            (3,),
        )
        assert "GET_PROTOCOL_FEATURES is sent although PROTOCOL_FEATURES is not offered" in finding.message

    def test_before_the_feature_is_acknowledged_it_is_legal(self) -> None:
        assert found(acknowledged("MQ"), "VU-NEG-03") == []


class TestUnaskedProtocolFeatures:
    """VU-NEG-04."""

    def test_acknowledged_without_asking(self) -> None:
        talk = Conversation()
        talk.open()
        talk.ask("GET_FEATURES", features=NEGOTIABLE)
        talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"))

        finding = only(talk, "VU-NEG-04")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 4)
        assert "acknowledges REPLY_ACK" in finding.message

    def test_asked_in_the_same_breath_passes(self) -> None:
        talk = Conversation()
        talk.open()
        talk.front_end("GET_PROTOCOL_FEATURES")
        talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"))

        assert found(talk, "VU-NEG-04") == []

    def test_silent_where_the_question_may_have_been_missed(self) -> None:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=NEGOTIABLE)
        talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"))

        assert found(talk, "VU-NEG-04") == []

    def test_silent_after_a_gap(self) -> None:
        talk = Conversation()
        talk.open()
        talk.event(RecordKind.GAP, connection=0, messages=2)
        talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"))

        assert found(talk, "VU-NEG-04") == []


class TestFeaturesWithoutProtocolFeatures:
    """VU-NEG-05."""

    def test_left_out_from_the_beginning(self) -> None:
        talk = acknowledged("MQ", "REPLY_ACK")
        talk.front_end("SET_FEATURES", features=VERSION_1)
        talk.front_end("SET_FEATURES", features=VERSION_1)

        finding = only(talk, "VU-NEG-05")

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.WARNING,
            Blame.UNKNOWN,
            7,
            (6,),
        )
        assert "all rings are enabled from here on" in finding.message

    def test_dropped_later(self) -> None:
        talk = acknowledged("MQ")
        talk.front_end("SET_FEATURES", features=VERSION_1 | NEGOTIABLE)
        talk.front_end("SET_FEATURES", features=VERSION_1)

        finding = only(talk, "VU-NEG-05")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.FRONT_END, 8, (7,))
        assert "acknowledged in #7" in finding.message

    def test_without_protocol_features_nothing_is_left_out(self) -> None:
        talk = offered(NEGOTIABLE | VERSION_1, "MQ")
        talk.front_end("SET_FEATURES", features=VERSION_1)

        assert found(talk, "VU-NEG-05") == []

    def test_acknowledged_each_time_passes(self) -> None:
        talk = acknowledged("MQ")
        talk.front_end("SET_FEATURES", features=VERSION_1 | NEGOTIABLE)
        talk.front_end("SET_FEATURES", features=LOG_ALL | VERSION_1 | NEGOTIABLE)

        assert found(talk, "VU-NEG-05") == []


class TestGate:
    """VU-NEG-06."""

    def test_a_protocol_feature_that_was_not_acknowledged(self) -> None:
        talk = opened("MQ")
        talk.ask("GET_MAX_MEM_SLOTS", slots=32)
        talk.ask("GET_MAX_MEM_SLOTS", slots=32)

        finding = only(talk, "VU-NEG-06")

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.ERROR,
            Blame.FRONT_END,
            8,
            (6,),
        )
        assert "GET_MAX_MEM_SLOTS is sent although CONFIGURE_MEM_SLOTS is not negotiated" in finding.message

    def test_a_virtio_feature_that_was_not_acknowledged(self) -> None:
        talk = opened(features=("VERSION_1",))
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        finding = only(talk, "VU-NEG-06")

        assert (finding.frame, finding.frames) == (8, (7,))
        assert "PROTOCOL_FEATURES is not negotiated" in finding.message

    def test_on_the_back_end_channel_the_back_end_is_to_blame(self) -> None:
        talk = opened("BACKEND_REQ")
        talk.back_end("VRING_HOST_NOTIFIER_MSG", Channel.BACKEND, nofd=1)

        finding = only(talk, "VU-NEG-06")

        assert finding.blame is Blame.BACK_END
        assert "HOST_NOTIFIER is not negotiated" in finding.message

    def test_rings_may_be_enabled_before_the_features_are_acknowledged(self) -> None:
        talk = acknowledged("MQ")
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        assert found(talk, "VU-NEG-06") == []

    def test_the_number_of_queues_may_be_asked_for_once_it_is_offered(self) -> None:
        talk = offered(NEGOTIABLE, "MQ")
        talk.ask("GET_QUEUE_NUM", queues=2)

        assert found(talk, "VU-NEG-06") == []

    def test_before_anything_was_offered(self) -> None:
        talk = Conversation()
        talk.open()
        talk.front_end("SET_VRING_ENABLE", index=0, num=0)

        finding = only(talk, "VU-NEG-06")

        assert finding.frames == ()
        assert "SET_VRING_ENABLE is sent although PROTOCOL_FEATURES is not offered yet" in finding.message

    def test_silent_where_the_negotiation_was_missed(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER")
        talk.ask("GET_MAX_MEM_SLOTS", slots=32)
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        assert found(talk, "VU-NEG-06") == []


class TestUnusedOffers:
    """VU-NEG-07."""

    def test_what_is_left_unused_is_named_once(self) -> None:
        talk = offered(NEGOTIABLE, "MQ", "RARP", "MTU")
        for _ in range(2):
            talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ"))

        finding = only(talk, "VU-NEG-07")

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.INFO,
            Blame.UNKNOWN,
            6,
            (5,),
        )
        assert "does not use RARP MTU" in finding.message

    def test_all_used(self) -> None:
        assert found(acknowledged("MQ", "RARP"), "VU-NEG-07") == []


class TestAcknowledgedInVain:
    """VU-NEG-08."""

    def test_in_band_notifications_and_yet_an_eventfd(self) -> None:
        talk = opened("INBAND_NOTIFICATIONS", "BACKEND_REQ", "REPLY_ACK")
        for ring in (0, 1):
            talk.front_end("SET_VRING_KICK", index=ring, descriptors=(eventfd(ring),))

        finding = only(talk, "VU-NEG-08")

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.ERROR,
            Blame.FRONT_END,
            8,
            (6,),
        )
        assert "INBAND_NOTIFICATIONS" in finding.message
        assert "passes an eventfd for ring 0" in finding.message

    def test_in_band_notifications_without_an_eventfd_pass(self) -> None:
        talk = opened("INBAND_NOTIFICATIONS", "BACKEND_REQ", "REPLY_ACK")
        talk.front_end("SET_VRING_KICK", index=0, nofd=1)

        assert found(talk, "VU-NEG-08") == []

    def test_xen_and_yet_plain_regions(self) -> None:
        talk = opened("XEN_MMAP")
        talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),))

        assert "XEN_MMAP" in only(talk, "VU-NEG-08").message

    def test_xen_and_yet_a_plain_region_is_added(self) -> None:
        talk = opened("XEN_MMAP", "CONFIGURE_MEM_SLOTS")
        talk.front_end("ADD_MEM_REG", size=4096, descriptors=(memfd(),))

        assert only(talk, "VU-NEG-08").frame == 8

    def test_regions_with_the_fields_of_xen_pass(self) -> None:
        talk = opened("XEN_MMAP", "CONFIGURE_MEM_SLOTS")
        talk.front_end("SET_MEM_TABLE", layout=MEM_TABLE_XEN, regions=[{"size": 4096}], descriptors=(memfd(),))
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_XEN, size=4096, descriptors=(memfd(),))
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED)

        assert found(talk, "VU-NEG-08") == []

    def test_plain_regions_pass_without_xen(self) -> None:
        talk = opened("MQ")
        talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),))

        assert found(talk, "VU-NEG-08") == []


class TestInBandAlone:
    """VU-NEG-09."""

    def test_without_the_channel(self) -> None:
        finding = only(acknowledged("INBAND_NOTIFICATIONS", "REPLY_ACK"), "VU-NEG-09")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 6)
        assert "INBAND_NOTIFICATIONS without BACKEND_REQ" in finding.message

    def test_with_all_that_it_needs(self) -> None:
        assert found(acknowledged("INBAND_NOTIFICATIONS", "REPLY_ACK", "BACKEND_REQ"), "VU-NEG-09") == []


class TestInflightAlone:
    """VU-NEG-10."""

    def test_without_inflight_memory(self) -> None:
        finding = only(acknowledged("GET_VRING_BASE_INFLIGHT"), "VU-NEG-10")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 6)
        assert "GET_VRING_BASE_INFLIGHT without INFLIGHT_SHMFD" in finding.message

    def test_with_inflight_memory(self) -> None:
        assert found(acknowledged("GET_VRING_BASE_INFLIGHT", "INFLIGHT_SHMFD"), "VU-NEG-10") == []


class TestChangedFeatures:
    """VU-NEG-11."""

    def running(self) -> Conversation:
        talk = opened(features=("PROTOCOL_FEATURES", "VERSION_1", "EVENT_IDX", "LOG_ALL"))
        talk.front_end("SET_FEATURES", features=NEGOTIABLE | VERSION_1)
        talk.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd(1),))
        return talk

    def test_a_feature_is_added_to_a_started_ring(self) -> None:
        talk = self.running()
        talk.front_end("SET_FEATURES", features=NEGOTIABLE | VERSION_1 | EVENT_IDX)

        finding = only(talk, "VU-NEG-11")

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.WARNING,
            Blame.FRONT_END,
            10,
            (8,),
        )
        assert "adds EVENT_IDX since #8 while ring 1 is started" in finding.message

    def test_what_is_dropped_is_named_too(self) -> None:
        talk = self.running()
        talk.front_end("SET_FEATURES", features=NEGOTIABLE | EVENT_IDX | LOG_ALL)

        assert "adds EVENT_IDX and drops VERSION_1" in only(talk, "VU-NEG-11").message

    def test_logging_may_be_switched_on(self) -> None:
        talk = self.running()
        talk.front_end("SET_FEATURES", features=NEGOTIABLE | VERSION_1 | LOG_ALL)

        assert found(talk, "VU-NEG-11") == []

    def test_features_may_change_once_the_ring_is_stopped(self) -> None:
        talk = self.running()
        talk.front_end("GET_VRING_BASE", index=1)
        talk.front_end("SET_FEATURES", features=NEGOTIABLE | VERSION_1 | EVENT_IDX)

        assert found(talk, "VU-NEG-11") == []


class TestStandalone:
    """VU-NEG-12."""

    @pytest.mark.parametrize(("dialect", "name"), [(PROBE_V2, "PROBE"), (STANDALONE_V1, "STANDALONE")])
    def test_the_feature_of_a_draft(self, dialect: Dialect, name: str) -> None:
        talk = Conversation(protocol=dialect.protocol)
        talk.front_end("SET_PROTOCOL_FEATURES", features=dialect.protocol.protocol_features.mask(name))

        finding = only(talk, "VU-NEG-12")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert f"acknowledges {name}" in finding.message
        assert "without STATUS" in finding.message

    def test_with_status_that_much_is_right(self) -> None:
        bits = PROBE_V2.protocol.protocol_features
        talk = Conversation(protocol=PROBE_V2.protocol)
        talk.front_end("SET_PROTOCOL_FEATURES", features=bits.mask("PROBE", "STATUS"))

        assert "without STATUS" not in only(talk, "VU-NEG-12").message

    def test_the_same_number_upstream_is_no_draft(self) -> None:
        assert found(acknowledged("SHARED_OBJECT"), "VU-NEG-12") == []


class TestReplyAckWithQueuePairs:
    """VU-NEG-13."""

    def stops_after_one_pair(self, *protocol_features: str, multiqueue: bool = True) -> Conversation:
        features = NEGOTIABLE | VERSION_1 | (NET.features.mask("MQ") if multiqueue else 0)
        talk = Conversation()
        talk.open("qemu-system-x86")
        talk.ask("GET_FEATURES", features=features)
        talk.ask("GET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask(*protocol_features))
        talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask(*protocol_features))
        for ring in range(4):
            talk.front_end("SET_VRING_CALL", index=ring, descriptors=(eventfd(ring),))
        talk.front_end("SET_FEATURES", features=features)
        talk.front_end("SET_MEM_TABLE", regions=[{"size": 1 << 20}], descriptors=(memfd(),), need_reply=True)
        talk.back_end("SET_MEM_TABLE", ack=0)
        for ring in (0, 1):
            talk.front_end("SET_VRING_ADDR", index=ring)
            talk.front_end("SET_VRING_KICK", index=ring, descriptors=(eventfd(10 + ring),))
        talk.front_end("SET_FEATURES", features=features)
        return talk

    def test_the_front_end_stops_before_the_second_pair(self) -> None:
        talk = self.stops_after_one_pair("MQ", "REPLY_ACK", "RARP")
        talk.silence(30 * SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-NEG-13")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.COMPAT, Blame.FRONT_END, 18)
        assert finding.frames == (6, 12, 13)
        assert "before it sets up ring 2" in finding.message
        assert "sent once in #12, acknowledged in #13" in finding.message

    def test_so_it_does_where_the_capture_ends(self) -> None:
        assert only(self.stops_after_one_pair("MQ", "REPLY_ACK"), "VU-NEG-13").frame == 18

    def test_a_newer_front_end_acknowledges_more(self) -> None:
        talk = self.stops_after_one_pair("MQ", "REPLY_ACK", "BACKEND_REQ")

        assert found(talk, "VU-NEG-13") == []

    def test_a_driver_without_multiqueue_uses_one_pair(self) -> None:
        talk = self.stops_after_one_pair("MQ", "REPLY_ACK", multiqueue=False)

        assert found(talk, "VU-NEG-13") == []

    def test_who_leaves_at_once_does_not_hang(self) -> None:
        talk = self.stops_after_one_pair("MQ", "REPLY_ACK")
        talk.close("front-end")

        assert found(talk, "VU-NEG-13") == []

    def test_nor_does_who_goes_on(self) -> None:
        talk = self.stops_after_one_pair("MQ", "REPLY_ACK")
        for ring in (2, 3):
            talk.front_end("SET_VRING_ADDR", index=ring)

        assert found(talk, "VU-NEG-13") == []


class TestOneSided:
    """VU-NEG-14."""

    BITS = MST_2015.protocol.protocol_features

    def negotiated(self, offer: int, acknowledge: int) -> Conversation:
        talk = Conversation(protocol=MST_2015.protocol)
        talk.ask("GET_PROTOCOL_FEATURES", features=offer)
        talk.front_end("SET_PROTOCOL_FEATURES", features=acknowledge)
        return talk

    def test_acknowledged_though_not_offered(self) -> None:
        finding = only(self.negotiated(self.BITS.mask("REPLY_ALL"), self.BITS.mask("MUST_RUN")), "VU-NEG-14")

        assert (finding.severity, finding.blame, finding.frame, finding.frames) == (
            Severity.ERROR,
            Blame.FRONT_END,
            3,
            (2,),
        )
        assert "enables MUST_RUN" in finding.message

    def test_an_offer_that_is_not_taken_up_harms_nobody(self) -> None:
        assert found(self.negotiated(self.BITS.mask("REPLY_ALL", "MUST_RUN"), 0), "VU-NEG-14", "VU-NEG-02") == []


class TestContestedNumber:
    """VU-NEG-15."""

    def test_a_number_that_means_several_things(self) -> None:
        finding = only(acknowledged("GPA_ADDRESSES"), "VU-NEG-15")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.UNKNOWN, 6)
        assert "bit 21 is acknowledged as GPA_ADDRESSES" in finding.message
        assert "SHMEM in shmem-bit21" in finding.message

    def test_numbers_that_were_contested_long_ago_are_no_matter(self) -> None:
        assert found(acknowledged("MQ", "LOG_SHMFD", "CRYPTO_SESSION", "RESET_DEVICE", "STATUS"), "VU-NEG-15") == []


class TestChannelFeatures:
    """VU-NEG-16."""

    def test_the_channel_without_its_feature(self) -> None:
        talk = opened("SHARED_OBJECT")
        talk.back_end("SHARED_OBJECT_ADD", Channel.BACKEND, uuid=bytes(16))

        finding = only(talk, "VU-NEG-16")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 8)
        assert (
            "SHARED_OBJECT_ADD is sent on the back-end channel, but BACKEND_REQ was not negotiated" in finding.message
        )

    def test_a_descriptor_without_its_feature(self) -> None:
        talk = opened("BACKEND_REQ", "HOST_NOTIFIER")
        talk.back_end("VRING_HOST_NOTIFIER_MSG", Channel.BACKEND, descriptors=(of_kind(DescriptorKind.DEVICE, "bar"),))

        finding = only(talk, "VU-NEG-16")

        assert "BACKEND_SEND_FD was not negotiated" in finding.message
        assert "dev#1" in finding.message

    def test_without_a_descriptor_that_one_is_not_needed(self) -> None:
        talk = opened("BACKEND_REQ", "HOST_NOTIFIER")
        talk.back_end("VRING_HOST_NOTIFIER_MSG", Channel.BACKEND, nofd=1)

        assert found(talk, "VU-NEG-16") == []

    def test_silent_where_the_negotiation_was_missed(self) -> None:
        talk = Conversation()
        talk.back_end("SHARED_OBJECT_ADD", Channel.BACKEND, uuid=bytes(16))

        assert found(talk, "VU-NEG-16") == []
