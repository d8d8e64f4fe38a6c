"""A guest's network, recorded: packets arrive, and the capture is right."""

import pytest

from tests.peers import guest
from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.situations.network import Flood
from tests.peers.situations.situation import MIB
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers


class NetworkRecorded(HealthyCapture):
    """A guest flooded the network, and net_vhost counted."""

    def test_every_packet_arrives(self, result: Flood) -> None:
        assert result.sent > 0
        assert result.received == result.sent

    def test_the_memory_regions_are_the_memory_of_the_guest(self, meaning: Meaning) -> None:
        assert meaning.memory == guest.MEMORY * MIB

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "net"


class TestNetwork(NetworkRecorded):
    capture = "qemu-7.2-net-dpdk-22.11"


class TestTwoPairs(NetworkRecorded):
    capture = "qemu-7.2-net-dpdk-22.11-2-pairs"

    def test_both_queue_pairs_are_started(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_VRING_KICK"] == 4


class TestQemuListens(NetworkRecorded):
    capture = "qemu-7.2-net-server-dpdk-22.11-client"


class TestIommu(NetworkRecorded):
    capture = "qemu-7.2-net-iommu-dpdk-22.11"

    def test_the_back_end_asks_for_the_address_of_every_packet(self, result: Flood, meaning: Meaning) -> None:
        assert meaning.requests[Channel.BACKEND, "IOTLB_MSG"] >= result.sent

    def test_the_front_end_answers_every_miss_on_the_main_channel(self, meaning: Meaning) -> None:
        misses = meaning.requests[Channel.BACKEND, "IOTLB_MSG"]
        assert meaning.requests[Channel.MAIN, "IOTLB_MSG"] >= misses > 0
