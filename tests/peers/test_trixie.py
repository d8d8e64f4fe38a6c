"""Peers of trixie, and of both releases together, recorded: they do their work, and the captures say what was said."""

import pytest

from tests.peers import guest
from tests.peers.meaning import Meaning
from tests.peers.situations.disk import PLUGGED
from tests.peers.situations.situation import MIB
from tests.peers.test_disk import DiskRecorded
from tests.peers.test_file_system import FilesRecorded
from tests.peers.test_migration import MigrationRecorded
from tests.peers.test_virtio_user import PacketsRecorded
from vudissect.spec.model import Channel

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


class TestVirtioUser(PacketsRecorded):
    capture = "dpdk-24.11-virtio-user-vhost"
