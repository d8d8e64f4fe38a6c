"""Packets between two DPDKs, recorded: they arrive, and the capture says what was said."""

import pytest

from tests.peers import testpmd
from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.situations.situation import MIB
from tests.peers.situations.virtio_user import Packets
from vudissect.spec.model import Channel

pytestmark = pytest.mark.peers


class PacketsRecorded(HealthyCapture):
    """virtio_user sent, net_vhost counted."""

    def test_every_packet_arrives(self, seen: Packets) -> None:
        assert seen.sent > 0
        assert seen.received == seen.sent

    def test_the_memory_regions_are_the_memory_of_the_sender(self, meaning: Meaning) -> None:
        assert meaning.memory == testpmd.MEMORY * MIB

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "net"

    def test_there_is_no_channel_of_the_back_end(self, meaning: Meaning) -> None:
        assert Channel.BACKEND not in meaning.opened


class TestVirtioUserCalls(PacketsRecorded):
    capture = "dpdk-22.11-virtio-user-vhost"


class TestVirtioUserListens(PacketsRecorded):
    capture = "dpdk-22.11-virtio-user-server-vhost-client"
