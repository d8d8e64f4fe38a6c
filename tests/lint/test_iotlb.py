"""VU-IOT: the device IOTLB."""

import pytest

from tests.conversation import Conversation, eventfd, memfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.model import Channel

IOMMU = ("PROTOCOL_FEATURES", "VERSION_1", "ACCESS_PLATFORM")
MISS, UPDATE, INVALIDATE = 1, 2, 3
PAGE = 4096
USER = 0x7F00_0000_0000
GUEST = 0x10_0000


def with_iommu(*protocol_features: str) -> Conversation:
    return opened("BACKEND_REQ", "REPLY_ACK", *protocol_features, features=IOMMU)


def miss(talk: Conversation, iova: int = 0, *, need_reply: bool = False) -> None:
    talk.back_end("IOTLB_MSG", Channel.BACKEND, iova=iova, type=MISS, perm=1, need_reply=need_reply)


def update(talk: Conversation, iova: int = 0, user_addr: int = USER, size: int = PAGE) -> None:
    talk.front_end("IOTLB_MSG", iova=iova, size=size, user_addr=user_addr, perm=3, type=UPDATE)


class TestGate:
    """VU-IOT-01."""

    @pytest.mark.parametrize(
        ("protocol_features", "features", "lacking"),
        [
            (("BACKEND_REQ", "REPLY_ACK"), ("PROTOCOL_FEATURES",), "ACCESS_PLATFORM is not negotiated"),
            (("BACKEND_REQ",), IOMMU, "REPLY_ACK is not negotiated"),
            (("REPLY_ACK",), IOMMU, "BACKEND_REQ is not negotiated"),
        ],
    )
    def test_a_feature_is_missing(
        self, protocol_features: tuple[str, ...], features: tuple[str, ...], lacking: str
    ) -> None:
        talk = opened(*protocol_features, features=features)
        update(talk)
        update(talk)

        finding = only(talk, "VU-IOT-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert lacking in finding.message

    def test_the_back_end_misses_without_an_iommu(self) -> None:
        talk = opened("BACKEND_REQ", "REPLY_ACK")
        miss(talk)

        assert only(talk, "VU-IOT-01").blame is Blame.BACK_END

    def test_with_all_of_them(self) -> None:
        talk = with_iommu()
        miss(talk)
        update(talk)

        assert found(talk, "VU-IOT-01") == []


class TestValues:
    """VU-IOT-02."""

    @pytest.mark.parametrize(("kind", "perm"), [(0, 3), (7, 3), (UPDATE, 4)])
    def test_a_value_that_is_not_defined(self, kind: int, perm: int) -> None:
        talk = with_iommu()
        talk.front_end("IOTLB_MSG", iova=PAGE, perm=perm, type=kind)

        finding = only(talk, "VU-IOT-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert f"type {kind} and permission {perm} for iova 0x1000" in finding.message

    @pytest.mark.parametrize(("kind", "perm"), [(1, 0), (6, 3)])
    def test_the_least_and_the_most_that_are(self, kind: int, perm: int) -> None:
        talk = with_iommu()
        talk.front_end("IOTLB_MSG", perm=perm, type=kind)

        assert found(talk, "VU-IOT-02") == []


class TestTarget:
    """VU-IOT-03."""

    def with_memory(self, *protocol_features: str) -> Conversation:
        talk = with_iommu(*protocol_features)
        region = {"guest_addr": GUEST, "size": 2 * PAGE, "user_addr": USER}
        talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(),))
        return talk

    def test_an_address_beyond_memory(self) -> None:
        talk = self.with_memory()
        update(talk, PAGE, USER + 2 * PAGE)

        finding = only(talk, "VU-IOT-03")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "iova 0x1000 (size 4096) is mapped to 0x7f0000002000" in finding.message

    def test_an_entry_that_reaches_beyond_it(self) -> None:
        talk = self.with_memory()
        update(talk, 0, USER + PAGE, size=PAGE + 1)

        assert "(size 4097)" in only(talk, "VU-IOT-03").message

    def test_the_last_page(self) -> None:
        talk = self.with_memory()
        update(talk, 0, USER + PAGE)

        assert found(talk, "VU-IOT-03") == []

    def test_guest_addresses_where_they_are_spoken_of(self) -> None:
        talk = self.with_memory("GPA_ADDRESSES")
        update(talk, 0, GUEST)

        assert found(talk, "VU-IOT-03") == []

    def test_what_is_invalidated_need_not_lie_in_memory(self) -> None:
        talk = self.with_memory()
        talk.front_end("IOTLB_MSG", size=PAGE, type=INVALIDATE)

        assert found(talk, "VU-IOT-03") == []

    def test_memory_that_may_have_been_missed(self) -> None:
        talk = Conversation()
        update(talk)

        assert found(talk, "VU-IOT-03") == []


class TestMissThatWaits:
    """VU-IOT-04."""

    def test_a_miss_asks_for_an_acknowledgement(self) -> None:
        talk = with_iommu()
        miss(talk, PAGE, need_reply=True)
        miss(talk, PAGE, need_reply=True)

        finding = only(talk, "VU-IOT-04")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.BACK_END, 8)
        assert "the miss of iova 0x1000 asks for an acknowledgement" in finding.message

    def test_a_miss_that_does_not(self) -> None:
        talk = with_iommu()
        miss(talk)

        assert found(talk, "VU-IOT-04") == []

    def test_a_forbidden_access_may_be_acknowledged(self) -> None:
        talk = with_iommu()
        talk.back_end("IOTLB_MSG", Channel.BACKEND, type=4, need_reply=True)

        assert found(talk, "VU-IOT-04") == []


class TestStorm:
    """VU-IOT-05."""

    def test_the_same_address_again_and_again(self) -> None:
        talk = with_iommu()
        for _ in range(12):
            miss(talk, PAGE)

        finding = only(talk, "VU-IOT-05")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (17, (8,))
        assert "iova 0x1000 was missed 10 times since #8" in finding.message

    def test_an_update_that_covers_it_ends_the_count(self) -> None:
        talk = with_iommu()
        for _ in range(9):
            miss(talk, 2 * PAGE - 1)
        update(talk, PAGE)
        for _ in range(9):
            miss(talk, 2 * PAGE - 1)

        assert found(talk, "VU-IOT-05") == []

    def test_an_update_beside_it_does_not(self) -> None:
        talk = with_iommu()
        for _ in range(9):
            miss(talk, 2 * PAGE)
        update(talk, PAGE)
        miss(talk, 2 * PAGE)

        assert only(talk, "VU-IOT-05").frame == 18

    def test_as_many_addresses_once_each(self) -> None:
        talk = with_iommu()
        for number in range(12):
            miss(talk, number * PAGE)

        assert found(talk, "VU-IOT-05") == []


class TestRingTranslated:
    """VU-IOT-06."""

    def running(self, num: int = 1024) -> Conversation:
        """Ring 0 with descriptors at 0x100000, avail at 0x200000, used at 0x300000: 12 records."""
        talk = with_iommu()
        talk.front_end("SET_MEM_TABLE", regions=[{"user_addr": USER, "size": 1 << 28}], descriptors=(memfd(),))
        talk.front_end("SET_VRING_NUM", index=0, num=num)
        talk.front_end("SET_VRING_ADDR", index=0, desc=0x100000, avail=0x200000, used=0x300000)
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick"),))
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)
        return talk

    def test_only_the_first_page(self) -> None:
        talk = self.running()
        update(talk, 0x100000)
        talk.ask("GET_VRING_BASE", index=0, num=256)

        finding = only(talk, "VU-IOT-06")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.BACK_END)
        assert "desc of ring 0 is at 0x100000 to 0x104000, but only 4096 of these 16384 bytes" in finding.message

    def test_page_by_page(self) -> None:
        talk = self.running()
        for page in range(4):
            update(talk, 0x100000 + page * PAGE)
        talk.ask("GET_VRING_BASE", index=0, num=256)

        assert found(talk, "VU-IOT-06") == []

    def test_in_one_piece(self) -> None:
        talk = self.running()
        update(talk, 0, size=1 << 24)
        talk.ask("GET_VRING_BASE", index=0, num=256)

        assert found(talk, "VU-IOT-06") == []

    def test_a_ring_of_a_page(self) -> None:
        talk = self.running(256)
        update(talk, 0x100000)
        talk.ask("GET_VRING_BASE", index=0, num=256)

        assert found(talk, "VU-IOT-06") == []
