"""A guest that migrates while it sends packets, recorded at both ends: each packet arrives at one of the back-ends."""

import pytest

from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.situations.network_migration import MigratedFlood
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers_slow


class MigrationRecorded(HealthyCapture):
    """A guest sent packets before and after its migration."""

    def test_every_packet_arrives(self, result: MigratedFlood) -> None:
        # The back-end adds the packets that announce the guest after the migration.
        assert result.received >= result.sent > 0

    def test_the_guest_migrates_while_it_sends(self, result: MigratedFlood) -> None:
        assert 0 < result.received_at_source < result.sent


class TestSenderMovesAway(MigrationRecorded):
    capture = "qemu-7.2-net-dpdk-22.11-migration-source"

    def test_the_back_end_gets_a_dirty_log(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_LOG_BASE"] == 1


class TestSenderArrives(MigrationRecorded):
    capture = "qemu-7.2-net-dpdk-22.11-migration-destination"

    def test_the_back_end_must_announce_the_guest(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SEND_RARP"] > 0


class TestSenderBeforeItsMemory(TestSenderArrives):
    capture = "qemu-7.2-net-dpdk-22.11-postcopy-destination"

    def test_the_back_end_waits_for_memory(self, meaning: Meaning) -> None:
        steps = ("POSTCOPY_ADVISE", "POSTCOPY_LISTEN", "POSTCOPY_END")
        assert [meaning.requests[Channel.MAIN, step] for step in steps] == [1, 1, 1]
