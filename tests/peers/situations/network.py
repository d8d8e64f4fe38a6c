"""A guest's network: QEMU's vhost-user-net and DPDK's net_vhost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.guest import Guest, guest
from tests.peers.situations.situation import Situation
from tests.peers.situations.virtio_user import Packets
from tests.peers.testpmd import Testpmd, net_vhost


@dataclass(frozen=True)
class Flood(Packets):
    """Packets, and how long it took the sender to get rid of them."""

    seconds: float


@dataclass(frozen=True)
class Iommu(Situation[Guest, Testpmd, Flood]):
    """A guest behind a virtual IOMMU floods the network with broadcasts.

    Each packet is in a buffer that the guest maps for it alone, so the back-end must ask for its address, and is told
    when that holds no more.
    """

    packets: int = 2000

    @contextmanager
    def back_end(self, folder: Path, socket: str) -> Iterator[Testpmd]:
        with net_vhost(socket, folder, iommu=True) as testpmd:
            testpmd.ready()
            testpmd.start()
            yield testpmd

    @contextmanager
    def front_end(self, folder: Path, socket: str) -> Iterator[Guest]:
        devices = [
            *("-device", "intel-iommu,intremap=off,device-iotlb=on"),
            *("-chardev", f"socket,id=net,path={socket}", "-netdev", "vhost-user,id=net,chardev=net"),
            # Without vectors=0, QEMU 7.2 crashes under TCG when the driver turns MSI-X on.
            *("-device", "virtio-net-pci,netdev=net,disable-legacy=on,iommu_platform=on,ats=on,vectors=0"),
        ]
        # Strict: mappings end one by one, not by the hundred. Without IPv6 the guest sends nothing of its own, so the
        # numbers can be compared.
        append = "intel_iommu=on iommu.strict=1 ipv6.disable=1"
        modules = ("virtio_net", "pktgen")
        with guest(_flood(self.packets), folder, modules=modules, devices=devices, append=append) as machine:
            yield machine

    def act(self, folder: Path, front_end: Guest, back_end: Testpmd) -> Flood:
        found = front_end.results()
        sent = int(found["sent"])
        received = back_end.wait_received(sent)
        back_end.stop()
        back_end.quit()
        return Flood(sent, received, int(found["microseconds"]) / 1e6)


def _flood(packets: int) -> str:
    """A script for a guest that sends so many packets as fast as it can."""
    return f"""
ip link set eth0 up
pktgen=/proc/net/pktgen
echo add_device eth0 > $pktgen/kpktgend_0
for setting in "count {packets}" "pkt_size 1000" "dst_mac ff:ff:ff:ff:ff:ff" "dst 192.0.2.255"; do
    echo "$setting" > $pktgen/eth0
done
echo start > $pktgen/pgctrl
echo RESULT sent=$(sed -n 's/.*pkts-sofar: \\([0-9]*\\).*/\\1/p' $pktgen/eth0)
echo RESULT microseconds=$(sed -n 's/^Result: OK: \\([0-9]*\\).*/\\1/p' $pktgen/eth0)
"""
