"""A guest that moves while it sends packets, recorded at both ends: every packet arrives at one of the back-ends."""

import pytest

from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.situations.network_migration import MovedFlood
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers_slow


class MigrationRecorded(HealthyCapture):
    """A guest sent before and after it moved."""

    def test_every_packet_arrives(self, seen: MovedFlood) -> None:
        # The back-end adds what announces the guest at its new place.
        assert seen.received >= seen.sent > 0

    def test_the_guest_moves_while_it_sends(self, seen: MovedFlood) -> None:
        assert 0 < seen.received_at_source < seen.sent


class TestSenderMovesAway(MigrationRecorded):
    capture = "qemu-7.2-net-dpdk-22.11-migration-source"

    def test_the_back_end_is_given_a_dirty_log(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_LOG_BASE"] == 1


class TestSenderArrives(MigrationRecorded):
    capture = "qemu-7.2-net-dpdk-22.11-migration-destination"

    def test_the_back_end_is_told_to_announce_the_guest(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SEND_RARP"] > 0


class TestSenderBeforeItsMemory(TestSenderArrives):
    capture = "qemu-7.2-net-dpdk-22.11-postcopy-destination"

    def test_the_back_end_waits_for_memory(self, meaning: Meaning) -> None:
        steps = ("POSTCOPY_ADVISE", "POSTCOPY_LISTEN", "POSTCOPY_END")
        assert [meaning.requests[Channel.MAIN, step] for step in steps] == [1, 1, 1]
