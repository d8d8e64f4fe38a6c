"""Peers from trixie, and from both releases together, recorded: they work, and the captures are right."""

from hashlib import sha256

import pytest

from tests.peers import guest
from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.situations.disk import PIECES, PLUGGED, SECTOR
from tests.peers.situations.file_system_migration import SharingMigrated
from tests.peers.situations.gpu import Picture
from tests.peers.situations.libblkio import AT, SIZE, WRITTEN, ToolUse
from tests.peers.situations.passt import ADDRESS, Download
from tests.peers.situations.resize import GROWN, Growth
from tests.peers.situations.situation import MIB
from tests.peers.test_disk import DiskRecorded
from tests.peers.test_file_system import FilesRecorded
from tests.peers.test_migration import MigrationRecorded
from tests.peers.test_virtio_user import PacketsRecorded
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers_slow


class TestDisk(DiskRecorded):
    capture = "qemu-10.0-blk-qsd"


class TestFourQueues(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-4-queues"

    def test_all_four_queues_are_started(self, meaning: Meaning) -> None:
        # Once by the firmware, which uses one, and once by Linux.
        assert meaning.requests[Channel.MAIN, "SET_VRING_KICK"] == 1 + 4


class TestFourRegions(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-4-regions"


class TestReboot(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-reboot"

    def test_the_device_is_started_by_firmware_and_linux_twice(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_VRING_KICK"] == 4


class TestMemoryPlugged(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-memory-hotplug"
    memory = guest.MEMORY * MIB + PLUGGED


class TestBackEndKilled(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-back-end-killed"
    connections = closed = 2
    faults = frozenset({"VU-END-01"})


class TestMigrationSource(MigrationRecorded):
    capture = "qemu-10.0-blk-qsd-migration-source"

    def test_the_back_end_gets_a_dirty_log(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_LOG_BASE"] == 1


class TestMigrationDestination(MigrationRecorded):
    capture = "qemu-10.0-blk-qsd-migration-destination"

    def test_the_ring_resumes_where_it_was(self, meaning: Meaning) -> None:
        (position,) = meaning.positions
        assert position > 0


class TestBackEndFromBookworm(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-7.2"


class TestFrontEndFromBookworm(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-10.0"


class TestFileSystem(FilesRecorded):
    capture = "qemu-10.0-fs-virtiofsd-1.13"


class FilesMigrated(FilesRecorded):
    """A guest migrated while it had a file open."""

    def test_the_guest_migrates_while_it_writes(self, result: SharingMigrated) -> None:
        assert 0 < result.last_piece_at_source < result.last_piece_at_destination == PIECES - 1

    def test_the_device_state_is_transferred_once(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_DEVICE_STATE_FD"] == 1
        assert meaning.requests[Channel.MAIN, "CHECK_DEVICE_STATE"] == 1


class TestFileSystemMigrationSource(FilesMigrated):
    capture = "qemu-10.0-fs-virtiofsd-1.13-migration-source"


class TestFileSystemMigrationDestination(FilesMigrated):
    capture = "qemu-10.0-fs-virtiofsd-1.13-migration-destination"


class TestResized(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-resize"
    capacity = GROWN

    def test_the_guest_sees_the_disk_grow(self, result: Growth) -> None:
        assert result.grown == GROWN

    def test_the_back_end_channel_is_open_and_unused(self, meaning: Meaning) -> None:
        # Except for the notification of the new size.
        assert meaning.messages[Channel.BACKEND] == meaning.requests[Channel.BACKEND, "CONFIG_CHANGE_MSG"] == 1


class TestLibblkio(HealthyCapture):
    capture = "libblkio-1.5-qsd-10.0"
    # libblkio sets NEED_REPLY on every request, and the daemon repeats it in its replies.
    faults = frozenset({"VU-HDR-05", "VU-RPL-09", "VU-MEM-04"})

    def test_the_image_has_what_the_tool_wrote_and_is_otherwise_unchanged(self, result: ToolUse) -> None:
        assert result.after == result.before[:AT] + WRITTEN + result.before[AT + len(WRITTEN) :]

    def test_the_tool_reads_back_what_it_wrote(self, result: ToolUse) -> None:
        assert f"read {len(WRITTEN)}/{len(WRITTEN)} bytes at offset {AT}" in result.output
        assert "verification failed" not in result.output

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "blk"

    def test_the_capacity_in_the_configuration_is_the_size_of_the_image(self, meaning: Meaning) -> None:
        assert meaning.capacity == SIZE // SECTOR


class TestPasst(HealthyCapture):
    capture = "qemu-10.0-net-passt-2025.05"

    def test_the_guest_gets_its_address(self, result: Download) -> None:
        assert result.address == ADDRESS

    def test_the_guest_receives_what_the_host_sends(self, result: Download) -> None:
        assert result.digest_of_received == sha256(result.sent).hexdigest()

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "net"


class TestGpu(HealthyCapture):
    capture = "qemu-10.0-gpu"
    # QEMU acknowledges RING_RESET, which the back-end does not offer.
    faults = frozenset({"VU-NEG-01"})

    def test_the_display_shows_what_the_guest_drew(self, result: Picture) -> None:
        assert result.grey > 0.9

    def test_the_display_is_updated_on_the_gpu_channel(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.GPU, "SCANOUT"] >= 1
        assert meaning.requests[Channel.GPU, "UPDATE"] >= 1

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "gpu"


class TestVirtioUser(PacketsRecorded):
    capture = "dpdk-24.11-virtio-user-vhost"
