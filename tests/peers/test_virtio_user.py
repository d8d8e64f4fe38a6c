"""Packets between two DPDK programs, recorded: they arrive, and the capture is right."""

import pytest

from tests.peers import testpmd
from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.situations.situation import MIB
from tests.peers.situations.virtio_user import Packets
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers


class PacketsRecorded(HealthyCapture):
    """virtio_user sent packets, and net_vhost counted them."""

    def test_the_memory_regions_are_the_memory_of_the_sender(self, meaning: Meaning) -> None:
        assert meaning.memory == testpmd.MEMORY * MIB

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "net"

    def test_there_is_no_back_end_channel(self, meaning: Meaning) -> None:
        assert Channel.BACKEND not in meaning.opened


class EveryPacketArrives(PacketsRecorded):
    def test_every_packet_arrives(self, result: Packets) -> None:
        assert result.sent > 0
        assert result.received == result.sent


class TestVirtioUserConnects(EveryPacketArrives):
    capture = "dpdk-22.11-virtio-user-vhost"


class TestVirtioUserListens(EveryPacketArrives):
    capture = "dpdk-22.11-virtio-user-server-vhost-client"


class TestTwoQueuesWithPackedRings(EveryPacketArrives):
    capture = "dpdk-22.11-virtio-user-2-queues-packed"

    def test_both_queue_pairs_are_started(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_VRING_KICK"] == 4


class TestVhostKilled(PacketsRecorded):
    capture = "dpdk-22.11-virtio-user-server-vhost-killed"
    connections = closed = 2
    # On a new connection, virtio_user first stops the rings of the connection that it has lost.
    faults = frozenset({"VU-END-01", "VU-NEG-06"})

    def test_packets_arrive_at_the_new_back_end(self, result: Packets) -> None:
        assert 0 < result.received < result.sent
