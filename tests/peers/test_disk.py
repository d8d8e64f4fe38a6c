"""A guest's disk, recorded: the data are right, and so is the capture."""

from hashlib import sha256
from pathlib import Path

import pytest

from tests.peers import guest
from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.rings_seen import rings_seen
from tests.peers.situations.disk import GUEST_WRITES, PLUGGED, SECTORS, DiskUse
from tests.peers.situations.situation import MIB
from tests.peers.uml import SHARED
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers


class DiskRecorded(HealthyCapture):
    """A guest used its disk."""

    memory = guest.MEMORY * MIB
    capacity = SECTORS

    def test_the_guest_reads_the_image(self, result: DiskUse) -> None:
        assert result.digest_of_first_mib == sha256(result.before[:MIB]).hexdigest()

    def test_the_guest_reads_back_what_it_wrote(self, result: DiskUse) -> None:
        assert result.digest_of_written == sha256(GUEST_WRITES).hexdigest()

    def test_the_image_has_what_the_guest_wrote_and_is_otherwise_unchanged(self, result: DiskUse) -> None:
        end = result.written_at + len(GUEST_WRITES)
        assert result.after == result.before[: result.written_at] + GUEST_WRITES + result.before[end:]

    def test_the_capacity_is_the_size_of_the_image(self, result: DiskUse, meaning: Meaning) -> None:
        assert result.sectors == SECTORS
        assert meaning.capacity == self.capacity

    def test_the_memory_regions_are_the_memory_of_the_guest(self, meaning: Meaning) -> None:
        assert meaning.memory == self.memory

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "blk"

    def test_the_back_end_channel_is_open_and_unused(self, meaning: Meaning) -> None:
        assert Channel.BACKEND in meaning.opened
        assert meaning.messages[Channel.BACKEND] == 0


class TestDisk(DiskRecorded):
    capture = "qemu-7.2-blk-qsd"


class TestUserModeLinux(DiskRecorded):
    capture = "uml-6.1-blk-qsd-7.2"

    def test_the_memory_regions_are_the_memory_of_the_guest(self, meaning: Meaning) -> None:
        # One region, in a table that always has two slots.
        assert meaning.memory == SHARED


class TestFourQueues(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-4-queues"

    def test_all_four_queues_are_started(self, meaning: Meaning) -> None:
        # Once by the firmware, which uses one, and once by Linux.
        assert meaning.requests[Channel.MAIN, "SET_VRING_KICK"] == 1 + 4


class TestFourRegions(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-4-regions"


class TestReboot(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-reboot"

    def test_the_device_is_started_by_firmware_and_linux_twice(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_VRING_KICK"] == 4


class TestDriverReloaded(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-driver-reload"

    def test_the_device_is_started_by_firmware_and_twice_by_linux(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_VRING_KICK"] == 3


class TestMemoryPlugged(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-memory-hotplug"
    memory = guest.MEMORY * MIB + PLUGGED


class TestBackEndKilled(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-back-end-killed"
    connections = closed = 2
    faults = frozenset({"VU-END-01"})

    def test_the_ring_resumes_where_it_was(self, meaning: Meaning) -> None:
        *before, after = meaning.positions
        assert before == [0, 0]
        assert after > 0


class TestBackEndStopped(DiskRecorded):
    """Recorded with rings in sight: otherwise there would be nothing to see."""

    capture = "qemu-7.2-blk-qsd-back-end-stopped"
    faults = frozenset({"VU-OBS-01"})

    def test_rings_are_read_only_if_wanted_and_are_healthy(self, recording: Path, *, rings_in_sight: bool) -> None:
        seen = rings_seen(recording)
        assert any(each.back_end_stopped and each.pending for each in seen.observations)
        assert (seen.broken, seen.stalls) == ({(1, "VU-OBS-01")}, [])


class TestRelayKilled(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-relay-killed"
    closed = 0


class TestRelayRestarted(DiskRecorded):
    capture = "qemu-7.2-blk-qsd-relay-restarted"

    capacity = 0  # QEMU knows it already and does not read it again

    def test_the_ring_resumes_where_it_was(self, meaning: Meaning) -> None:
        (position,) = meaning.positions
        assert position > 0
