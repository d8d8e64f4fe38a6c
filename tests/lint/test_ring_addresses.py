"""VU-MEM-05 and VU-VRG-05, -16, -17: where rings lie."""

import pytest

from tests.conversation import SECOND, Conversation, eventfd, memfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES

PAGE = 0x1000
SIZE = 1 << 20
GUEST = 0x40000000
USER = 0x7F0000000000
OUTSIDE = 0x7E0000000000
WITH_LOG = ("PROTOCOL_FEATURES", "LOG_ALL")


def table(talk: Conversation) -> None:
    region = {"guest_addr": GUEST, "size": SIZE, "user_addr": USER}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(size=SIZE),))


def ring(talk: Conversation, start: int = USER, index: int = 0, entries: int = 128, flags: int = 0) -> None:
    """The size of a ring, then its addresses: its parts stand a page apart."""
    talk.front_end("SET_VRING_NUM", index=index, num=entries)
    talk.front_end(
        "SET_VRING_ADDR", index=index, flags=flags, desc=start, avail=start + PAGE, used=start + 2 * PAGE, log=GUEST
    )


def kick(talk: Conversation) -> None:
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))


def stop(talk: Conversation) -> None:
    talk.front_end("GET_VRING_BASE", index=0)
    talk.back_end("GET_VRING_BASE", index=0)


class TestRingInMemory:
    """VU-MEM-05."""

    def test_outside_of_all_regions(self) -> None:
        talk = opened()
        table(talk)
        ring(talk, OUTSIDE)

        finding = only(talk, "VU-MEM-05")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (10, (8,))
        assert f"desc of ring 0, {OUTSIDE:#x}, is not in any memory region" in finding.message
        assert f"known: {USER:#x} to {USER + SIZE:#x}" in finding.message

    def test_at_the_end_of_a_region(self) -> None:
        talk = opened()
        table(talk)
        ring(talk, USER + SIZE - 3 * PAGE)

        assert found(talk, "VU-MEM-05") == []

    def test_past_the_end_of_a_region(self) -> None:
        talk = opened()
        table(talk)
        ring(talk, USER + SIZE - 3 * PAGE, entries=512)

        assert "used of ring 0, 512 entries" in only(talk, "VU-MEM-05").message

    def test_a_packed_ring_that_ends_with_the_region(self) -> None:
        talk = opened(features=("PROTOCOL_FEATURES", "RING_PACKED"))
        table(talk)
        ring(talk, USER + SIZE - 3 * PAGE, entries=512)

        assert found(talk, "VU-MEM-05") == []

    def test_behind_an_iommu(self) -> None:
        talk = opened(features=("PROTOCOL_FEATURES", "ACCESS_PLATFORM"))
        table(talk)
        ring(talk, OUTSIDE)

        assert found(talk, "VU-MEM-05") == []

    def test_told_by_guest_addresses_that_were_agreed_upon(self) -> None:
        talk = opened("GPA_ADDRESSES")
        table(talk)
        ring(talk, GUEST)

        assert found(talk, "VU-MEM-05") == []

    def test_told_by_guest_addresses_that_were_not_agreed_upon(self) -> None:
        talk = opened()
        table(talk)
        ring(talk, GUEST)

        assert "it is a guest address in region 0, without GPA_ADDRESSES (bit 21)" in only(talk, "VU-MEM-05").message

    def test_told_by_user_addresses_though_guest_addresses_were_agreed_upon(self) -> None:
        talk = opened("GPA_ADDRESSES")
        table(talk)
        ring(talk, USER)

        finding = only(talk, "VU-MEM-05")

        assert "it is a user address in region 0, although GPA_ADDRESSES (bit 21) is acknowledged" in finding.message

    def test_in_mid_session(self) -> None:
        talk = Conversation()
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("PROTOCOL_FEATURES"))
        talk.front_end("SET_PROTOCOL_FEATURES", features=0)
        talk.front_end("ADD_MEM_REG", guest_addr=GUEST, size=SIZE, user_addr=USER, descriptors=(memfd(),))
        ring(talk, OUTSIDE)

        assert found(talk, "VU-MEM-05") == []

    @pytest.mark.parametrize(("whole", "rules"), [(True, ["VU-MEM-05"]), (False, [])])
    def test_which_addresses_are_told_is_not_known(self, whole: bool, rules: list[str]) -> None:
        talk = Conversation()
        if whole:
            talk.open()
        talk.front_end("SET_FEATURES", features=0)
        table(talk)
        ring(talk, OUTSIDE)

        assert [finding.rule for finding in found(talk, "VU-MEM-05")] == rules

    def test_a_table_makes_up_for_a_missed_beginning(self) -> None:
        talk = Conversation()
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("PROTOCOL_FEATURES"))
        talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ"))
        table(talk)
        ring(talk, OUTSIDE)

        assert only(talk, "VU-MEM-05").frame == 5


class TestAddressesAfterMemory:
    """VU-VRG-05."""

    def test_before_any_memory(self) -> None:
        talk = opened()
        ring(talk)

        finding = only(talk, "VU-VRG-05")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 9)
        assert f"ring 0 gets addresses (desc {USER:#x}) before any memory region" in finding.message

    def test_after_memory(self) -> None:
        talk = opened()
        table(talk)
        ring(talk)
        kick(talk)

        assert found(talk, "VU-VRG-05") == []

    def test_before_memory_that_an_iommu_translates_to(self) -> None:
        talk = opened(features=("PROTOCOL_FEATURES", "ACCESS_PLATFORM"))
        ring(talk)

        assert found(talk, "VU-VRG-05") == []

    def test_memory_may_have_come_before_the_capture(self) -> None:
        talk = Conversation()
        ring(talk)

        assert found(talk, "VU-VRG-05") == []

    def test_a_start_without_addresses(self) -> None:
        talk = opened()
        table(talk)
        kick(talk)

        assert found(talk, "VU-VRG-05") == []

    def test_addresses_of_before_a_stop_in_memory_of_after_it(self) -> None:
        talk = opened()
        table(talk)
        ring(talk)
        kick(talk)
        stop(talk)
        table(talk)
        kick(talk)

        finding = only(talk, "VU-VRG-05")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (15, (10, 12, 14))
        assert "the addresses of #10" in finding.message
        assert "stopped in #12 and the memory changed in #14" in finding.message

    def test_new_addresses_in_new_memory(self) -> None:
        talk = opened()
        table(talk)
        ring(talk)
        kick(talk)
        stop(talk)
        table(talk)
        ring(talk)
        kick(talk)

        assert found(talk, "VU-VRG-05") == []

    def test_memory_that_changes_while_the_ring_runs(self) -> None:
        talk = opened()
        table(talk)
        ring(talk)
        kick(talk)
        table(talk)
        stop(talk)
        kick(talk)

        assert found(talk, "VU-VRG-05") == []


class TestLogMemory:
    """VU-VRG-16."""

    def test_a_logged_ring_without_a_log(self) -> None:
        talk = opened(features=WITH_LOG)
        talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("PROTOCOL_FEATURES"))
        ring(talk, flags=1)
        stop(talk)

        finding = only(talk, "VU-VRG-16")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 10)
        assert "the addresses of ring 0 have the LOG flag, but no memory for the log" in finding.message

    def test_logging_without_a_log_until_the_end(self) -> None:
        talk = opened(features=WITH_LOG)
        talk.silence(SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-VRG-16")

        assert (finding.blame, finding.frame) == (Blame.FRONT_END, 7)
        assert "LOG_ALL is acknowledged" in finding.message

    def test_a_log_that_comes_last(self) -> None:
        talk = opened("LOG_SHMFD", features=WITH_LOG)
        ring(talk, flags=1)
        talk.front_end("SET_LOG_BASE", mmap_size=PAGE, descriptors=(memfd("log"),))
        stop(talk)
        talk.silence(SECOND)
        talk.close("front-end")

        assert found(talk, "VU-VRG-16") == []

    def test_a_capture_that_ends_before_the_log_can_have_come(self) -> None:
        talk = opened(features=WITH_LOG)
        ring(talk, flags=1)

        assert found(talk, "VU-VRG-16") == []

    def test_a_log_that_may_have_come_before_the_capture(self) -> None:
        talk = Conversation()
        ring(talk, flags=1)
        stop(talk)

        assert found(talk, "VU-VRG-16") == []

    def test_logging_that_was_ended_again(self) -> None:
        talk = opened(features=WITH_LOG)
        talk.front_end("SET_FEATURES", features=0)
        talk.silence(SECOND)
        talk.close("front-end")

        assert found(talk, "VU-VRG-16") == []


class TestAlignment:
    """VU-VRG-17."""

    def addresses(self, talk: Conversation, desc: int, avail: int, used: int) -> Conversation:
        talk.front_end("SET_VRING_ADDR", index=3, desc=desc, avail=avail, used=used)
        return talk

    @pytest.mark.parametrize(
        ("desc", "avail", "used", "odd"),
        [
            (8, 0, 0, "desc 0x8 is not a multiple of 16"),
            (0, 1, 0, "avail 0x1 is not a multiple of 2"),
            (0, 0, 2, "used 0x2 is not a multiple of 4"),
        ],
    )
    def test_a_part_that_is_not_aligned(self, desc: int, avail: int, used: int, odd: str) -> None:
        finding = only(self.addresses(opened(), desc, avail, used), "VU-VRG-17")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 8)
        assert finding.message == f"ring 3: {odd}"

    def test_parts_that_are_just_aligned(self) -> None:
        assert found(self.addresses(opened(), 16, 2, 4), "VU-VRG-17") == []

    def test_a_packed_ring_is_aligned_to_four(self) -> None:
        talk = opened(features=("PROTOCOL_FEATURES", "RING_PACKED"))

        assert "avail 0x2 is not a multiple of 4" in only(self.addresses(talk, 16, 2, 4), "VU-VRG-17").message
