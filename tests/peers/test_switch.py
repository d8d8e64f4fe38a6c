"""A guest's network and Open vSwitch, recorded: packets arrive, and the capture is right."""

import pytest

from tests.peers.test_network import NetworkRecorded

pytestmark = pytest.mark.peers_slow


class TestSwitchListens(NetworkRecorded):
    capture = "qemu-7.2-net-ovs-3.1"


class TestSwitchConnects(NetworkRecorded):
    capture = "qemu-7.2-net-server-ovs-3.1-client"
