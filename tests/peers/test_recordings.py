"""Real peers with `vuproxy` in the middle: they do their work, and the capture says what they said."""

from hashlib import sha256
from pathlib import Path

import pytest

from tests.peers import guest, testpmd
from tests.peers.meaning import HealthyCapture, Meaning, meaning_of
from tests.peers.situations import (
    GUEST_WRITES,
    MIB,
    SECTORS,
    DiskUse,
    Packets,
    Sharing,
    disk,
    file_system,
    iommu,
    virtio_user_dials,
    virtio_user_listens,
)
from vudissect.spec.model import Channel

pytestmark = pytest.mark.peers

_CAPTURE = "recorded.pcapng"


@pytest.fixture(scope="class")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="class")
def seen(request: pytest.FixtureRequest, folder: Path) -> object:
    """Run the situation of the class, once for all its tests; what could be seen of it from outside."""
    return request.cls.situation(folder, folder / _CAPTURE)


@pytest.fixture(scope="class")
def meaning(seen: object, folder: Path) -> Meaning:
    """What the capture says."""
    return meaning_of(folder / _CAPTURE)


class TestDisk(HealthyCapture):
    situation = staticmethod(disk)

    def test_the_guest_reads_what_the_image_holds(self, seen: DiskUse) -> None:
        assert seen.digest_of_first_mib == sha256(seen.before[:MIB]).hexdigest()

    def test_the_guest_reads_back_what_it_wrote(self, seen: DiskUse) -> None:
        assert seen.digest_of_written == sha256(GUEST_WRITES).hexdigest()

    def test_the_image_holds_what_the_guest_wrote_and_is_otherwise_unchanged(self, seen: DiskUse) -> None:
        end = seen.written_at + len(GUEST_WRITES)
        assert seen.after == seen.before[: seen.written_at] + GUEST_WRITES + seen.before[end:]

    def test_the_capacity_in_the_configuration_is_the_size_of_the_image(self, seen: DiskUse, meaning: Meaning) -> None:
        assert seen.sectors == SECTORS
        assert meaning.capacity == SECTORS

    def test_the_memory_regions_are_the_memory_of_the_guest(self, meaning: Meaning) -> None:
        assert meaning.memory == guest.MEMORY * MIB

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "blk"

    def test_the_channel_of_the_back_end_is_open_and_unused(self, meaning: Meaning) -> None:
        assert Channel.BACKEND in meaning.opened
        assert meaning.messages[Channel.BACKEND] == 0


class TestFileSystem(HealthyCapture):
    situation = staticmethod(file_system)

    def test_the_guest_reads_the_file_of_the_host(self, seen: Sharing) -> None:
        assert seen.digest_of_given == sha256(seen.given).hexdigest()

    def test_the_host_finds_the_file_of_the_guest(self, seen: Sharing) -> None:
        assert seen.taken == GUEST_WRITES

    def test_the_memory_regions_are_the_memory_of_the_guest(self, meaning: Meaning) -> None:
        assert meaning.memory == guest.MEMORY * MIB

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "fs"

    def test_the_channel_of_the_back_end_is_open_and_unused(self, meaning: Meaning) -> None:
        assert Channel.BACKEND in meaning.opened
        assert meaning.messages[Channel.BACKEND] == 0


class PacketsRecorded(HealthyCapture):
    """virtio_user sends, net_vhost counts."""

    def test_every_packet_arrives(self, seen: Packets) -> None:
        assert seen.sent > 0
        assert seen.received == seen.sent

    def test_the_memory_regions_are_the_memory_of_the_sender(self, meaning: Meaning) -> None:
        assert meaning.memory == testpmd.MEMORY * MIB

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "net"

    def test_there_is_no_channel_of_the_back_end(self, meaning: Meaning) -> None:
        assert Channel.BACKEND not in meaning.opened


class TestVirtioUserDials(PacketsRecorded):
    situation = staticmethod(virtio_user_dials)


class TestVirtioUserListens(PacketsRecorded):
    situation = staticmethod(virtio_user_listens)


class TestIommu(HealthyCapture):
    situation = staticmethod(iommu)

    def test_every_packet_arrives(self, seen: Packets) -> None:
        assert seen.sent > 0
        assert seen.received == seen.sent

    def test_the_memory_regions_are_the_memory_of_the_guest(self, meaning: Meaning) -> None:
        assert meaning.memory == guest.MEMORY * MIB

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "net"

    def test_the_back_end_asks_for_the_address_of_every_packet(self, seen: Packets, meaning: Meaning) -> None:
        assert meaning.requests[Channel.BACKEND, "IOTLB_MSG"] >= seen.sent

    def test_the_front_end_answers_every_question_on_the_main_channel(self, meaning: Meaning) -> None:
        misses = meaning.requests[Channel.BACKEND, "IOTLB_MSG"]
        assert meaning.requests[Channel.MAIN, "IOTLB_MSG"] >= misses > 0
