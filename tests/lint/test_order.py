"""VU-VRG-22, -24, VU-NEG-17, VU-INF-04, VU-BEC-03: steps of the set-up out of order, or twice."""

import pytest

from tests.conversation import Conversation, eventfd, memfd, of_kind
from tests.lint import found
from tests.lint.opening import opened
from vudissect.host.descriptor import DescriptorKind
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.features import VIRTIO_FEATURES

PACKED = ("PROTOCOL_FEATURES", "VERSION_1", "RING_PACKED")


def only(talk: Conversation, rule: str) -> Finding:
    (finding,) = found(talk, rule)
    return finding


def ring(talk: Conversation, base: int = 0) -> None:
    talk.front_end("SET_VRING_NUM", index=0, num=256)
    talk.front_end("SET_VRING_BASE", index=0, num=base)
    talk.front_end("SET_VRING_ADDR", index=0, desc=0x1000, avail=0x2000, used=0x3000)


def kick(talk: Conversation) -> None:
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick"),))


def started(*protocol_features: str) -> Conversation:
    """Ring 0 is started in frame 11."""
    talk = opened(*protocol_features)
    ring(talk)
    kick(talk)
    return talk


class TestSetUpWhileStarted:
    """VU-VRG-22."""

    def test_the_base_again(self) -> None:
        talk = started()
        talk.front_end("SET_VRING_BASE", index=0, num=0)

        finding = only(talk, "VU-VRG-22")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 12)
        assert finding.frames == (11,)
        assert "the base (0) of ring 0, which has been started since #11" in finding.message

    def test_another_size(self) -> None:
        talk = started()
        talk.front_end("SET_VRING_NUM", index=0, num=512)

        assert "the size (256 to 512) of ring 0" in only(talk, "VU-VRG-22").message

    def test_the_same_size(self) -> None:
        talk = started()
        talk.front_end("SET_VRING_NUM", index=0, num=256)

        assert found(talk, "VU-VRG-22") == []

    def test_other_addresses(self) -> None:
        talk = started()
        talk.front_end("SET_VRING_ADDR", index=0, desc=0x11000, avail=0x12000, used=0x13000)

        assert "the addresses of ring 0" in only(talk, "VU-VRG-22").message

    def test_the_same_addresses_with_the_log_flag(self) -> None:
        talk = started()
        talk.front_end("SET_VRING_ADDR", index=0, flags=1, desc=0x1000, avail=0x2000, used=0x3000, log=0x3000)

        assert found(talk, "VU-VRG-22") == []

    def test_other_addresses_after_another_memory_table(self) -> None:
        talk = started()
        talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),))
        talk.front_end("SET_VRING_ADDR", index=0, desc=0x11000, avail=0x12000, used=0x13000)

        assert found(talk, "VU-VRG-22") == []

    def test_after_it_was_stopped(self) -> None:
        talk = started()
        talk.ask("GET_VRING_BASE", index=0, num=7)
        talk.front_end("SET_VRING_BASE", index=0, num=7)

        assert found(talk, "VU-VRG-22") == []


class TestFeaturesLast:
    """VU-NEG-17."""

    def before_features(self) -> Conversation:
        talk = Conversation()
        talk.open()
        talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1"))
        return talk

    def test_after_the_first_ring(self) -> None:
        talk = self.before_features()
        ring(talk)
        kick(talk)
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1"))

        finding = only(talk, "VU-NEG-17")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert "the first SET_FEATURES comes only after ring 0 was started in #7" in finding.message

    def test_just_before_the_first_ring_is_started(self) -> None:
        talk = self.before_features()
        ring(talk)
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1"))
        kick(talk)

        assert found(talk, "VU-NEG-17") == []

    def test_again(self) -> None:
        talk = started()
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES"))

        assert found(talk, "VU-NEG-17") == []

    def test_the_beginning_is_not_in_the_capture(self) -> None:
        talk = Conversation()
        kick(talk)
        talk.front_end("SET_FEATURES", features=0)

        assert found(talk, "VU-NEG-17") == []


class TestPackedBeginning:
    """VU-VRG-24."""

    def test_wrap_counters_of_0(self) -> None:
        talk = opened(features=PACKED)
        ring(talk)

        finding = only(talk, "VU-VRG-24")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 9)
        assert "ring 0 is packed and begins at 0x0, with an avail wrap counter of 0" in finding.message

    @pytest.mark.parametrize("base", [0x80008000, 0x8000, 0x00050005])
    def test_other_positions(self, base: int) -> None:
        talk = opened(features=PACKED)
        ring(talk, base)

        assert found(talk, "VU-VRG-24") == []

    def test_a_split_ring(self) -> None:
        assert found(started(), "VU-VRG-24") == []

    def test_a_ring_that_has_run_before_the_reconnect(self) -> None:
        talk = opened(features=PACKED)
        ring(talk, 0x80008000)
        kick(talk)
        talk.close("back-end")
        talk.open(connection=2)
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask(*PACKED), connection=2)
        talk.front_end("SET_VRING_BASE", index=0, num=0, connection=2)

        assert found(talk, "VU-VRG-24") == []


class TestInflightBeforeFeatures:
    """VU-INF-04."""

    def asked(self, *features: str) -> Conversation:
        talk = Conversation()
        talk.open()
        talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask(*features))
        talk.front_end("GET_INFLIGHT_FD", num_queues=1, queue_size=128)
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask(*features))
        return talk

    def test_rings_are_packed(self) -> None:
        finding = only(self.asked("VERSION_1", "RING_PACKED"), "VU-INF-04")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 4)
        assert finding.frames == (5,)
        assert "before SET_FEATURES (#5) acknowledges RING_PACKED" in finding.message

    def test_rings_are_split(self) -> None:
        assert found(self.asked("VERSION_1"), "VU-INF-04") == []

    def test_after_the_features(self) -> None:
        talk = opened("INFLIGHT_SHMFD", features=PACKED)
        talk.front_end("GET_INFLIGHT_FD", num_queues=1, queue_size=128)

        assert found(talk, "VU-INF-04") == []


class TestSecondChannel:
    """VU-BEC-03."""

    def opens(self, talk: Conversation, number: int, connection: int = 1) -> None:
        socket = of_kind(DescriptorKind.SOCKET, str(number))
        talk.front_end("SET_BACKEND_REQ_FD", descriptors=(socket,), connection=connection)

    def test_it_is_opened_twice(self) -> None:
        talk = opened("BACKEND_REQ")
        self.opens(talk, 1)
        self.opens(talk, 2)

        finding = only(talk, "VU-BEC-03")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 9)
        assert "opens the backend channel again (sock#2, first in #8)" in finding.message

    def test_it_is_opened_on_each_of_two_connections(self) -> None:
        talk = opened("BACKEND_REQ")
        self.opens(talk, 1)
        talk.open(connection=2)
        self.opens(talk, 2, connection=2)

        assert found(talk, "VU-BEC-03") == []
