"""Peers of trixie, and of both releases together, recorded: they do their work, and the captures say what was said."""

from hashlib import sha256

import pytest

from tests.peers import guest
from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.situations.disk import PIECES, PLUGGED, SECTOR
from tests.peers.situations.file_system_migration import SharingMoved
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


class TestMovesAway(MigrationRecorded):
    capture = "qemu-10.0-blk-qsd-migration-source"

    def test_the_back_end_is_given_a_dirty_log(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_LOG_BASE"] == 1


class TestArrives(MigrationRecorded):
    capture = "qemu-10.0-blk-qsd-migration-destination"

    def test_the_ring_goes_on_where_it_was(self, meaning: Meaning) -> None:
        (position,) = meaning.positions
        assert position > 0


class TestDiskOfBookworm(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-7.2"


class TestGuestOfBookworm(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-10.0"


class TestFileSystem(FilesRecorded):
    capture = "qemu-10.0-fs-virtiofsd-1.13"


class FilesMoved(FilesRecorded):
    """A guest moved while it had a file open."""

    def test_the_guest_moves_while_it_writes(self, seen: SharingMoved) -> None:
        assert 0 < seen.last_piece_at_source < seen.last_piece_at_destination == PIECES - 1

    def test_the_state_of_the_device_passes_once(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_DEVICE_STATE_FD"] == 1
        assert meaning.requests[Channel.MAIN, "CHECK_DEVICE_STATE"] == 1


class TestSharerMovesAway(FilesMoved):
    capture = "qemu-10.0-fs-virtiofsd-1.13-migration-source"


class TestSharerArrives(FilesMoved):
    capture = "qemu-10.0-fs-virtiofsd-1.13-migration-destination"


class TestResized(DiskRecorded):
    capture = "qemu-10.0-blk-qsd-resize"
    capacity = GROWN

    def test_the_guest_sees_the_disk_grow(self, seen: Growth) -> None:
        assert seen.grown == GROWN

    def test_the_channel_of_the_back_end_is_open_and_unused(self, meaning: Meaning) -> None:
        # But for the one message that this is about.
        assert meaning.messages[Channel.BACKEND] == meaning.requests[Channel.BACKEND, "CONFIG_CHANGE_MSG"] == 1


class TestLibblkio(HealthyCapture):
    capture = "libblkio-1.5-qsd-10.0"
    # libblkio wants an answer to everything, and the daemon repeats that in its answers.
    errors = frozenset({"VU-HDR-05"})

    def test_the_image_holds_what_the_tool_wrote_and_is_otherwise_unchanged(self, seen: ToolUse) -> None:
        assert seen.after == seen.before[:AT] + WRITTEN + seen.before[AT + len(WRITTEN) :]

    def test_the_tool_reads_back_what_it_wrote(self, seen: ToolUse) -> None:
        assert f"read {len(WRITTEN)}/{len(WRITTEN)} bytes at offset {AT}" in seen.said
        assert "verification failed" not in seen.said

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "blk"

    def test_the_capacity_in_the_configuration_is_the_size_of_the_image(self, meaning: Meaning) -> None:
        assert meaning.capacity == SIZE // SECTOR


class TestPasst(HealthyCapture):
    capture = "qemu-10.0-net-passt-2025.05"

    def test_the_guest_gets_its_address(self, seen: Download) -> None:
        assert seen.address == ADDRESS

    def test_the_guest_receives_what_the_host_sends(self, seen: Download) -> None:
        assert seen.digest_of_received == sha256(seen.sent).hexdigest()

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "net"


class TestGpu(HealthyCapture):
    capture = "qemu-10.0-gpu"
    # QEMU acknowledges RING_RESET, which nobody offers.
    errors = frozenset({"VU-NEG-01"})

    def test_the_display_shows_what_the_guest_drew(self, seen: Picture) -> None:
        assert seen.grey > 0.9

    def test_the_display_is_updated_on_a_channel_of_its_own(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.GPU, "SCANOUT"] >= 1
        assert meaning.requests[Channel.GPU, "UPDATE"] >= 1

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "gpu"


class TestVirtioUser(PacketsRecorded):
    capture = "dpdk-24.11-virtio-user-vhost"
