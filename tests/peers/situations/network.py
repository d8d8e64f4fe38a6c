"""A guest's network: QEMU's vhost-user-net and DPDK's net_vhost."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.guest import Guest, guest
from tests.peers.processes import wait_for_listener
from tests.peers.situations.situation import Situation
from tests.peers.situations.virtio_user import Packets
from tests.peers.testpmd import Testpmd, net_vhost


@dataclass(frozen=True)
class Flood(Packets):
    """Packets, and how long the sender took to send them."""

    seconds: float


@dataclass(frozen=True)
class Network(Situation[Guest, Testpmd, Flood]):
    """A guest floods the network with broadcasts."""

    queues: int = 1  # pairs
    packets: int = 2000

    options: ClassVar[tuple[str, ...]] = ()
    """Further options of QEMU."""
    properties: ClassVar[str] = ""
    """Further properties of QEMU's device."""
    append: ClassVar[str] = ""
    """Further parameters of the guest's kernel."""
    iommu: ClassVar[bool] = False
    """Whether the back-end uses the IOMMU."""
    postcopy: ClassVar[bool] = False
    """Whether the back-end supports postcopy."""
    pause: ClassVar[int] = 0
    """Nanoseconds between two packets."""

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Testpmd]:
        return self.daemon(folder, socket)

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.machine(folder, socket)

    @contextmanager
    def daemon(self, folder: Path, socket: str, name: str = "net-vhost") -> Iterator[Testpmd]:
        """A DPDK that receives."""
        with net_vhost(
            socket,
            folder,
            listen=not self.front_end_listens,
            iommu=self.iommu,
            postcopy=self.postcopy,
            queues=self.queues,
            name=name,
            release=self.back,
        ) as testpmd:
            testpmd.ready()
            testpmd.start()
            yield testpmd

    @contextmanager
    def machine(
        self, folder: Path, socket: str, *, options: Sequence[str] = (), name: str = "guest"
    ) -> Iterator[Guest]:
        """QEMU with the network and further options."""
        server = ",server=on" if self.front_end_listens else ""
        # Without vectors=0, QEMU 7.2 crashes under TCG when the driver turns MSI-X on.
        device = f"virtio-net-pci,netdev=net{',mq=on' if self.queues > 1 else ''}{self.properties},vectors=0"
        devices = [
            *self.options,
            *options,
            *("-chardev", f"socket,id=net,path={socket}{server}"),
            *("-netdev", f"vhost-user,id=net,chardev=net,queues={self.queues}", "-device", device),
        ]
        with guest(
            flood(self.packets, self.pause),
            folder,
            modules=("virtio_net", "pktgen"),
            devices=devices,
            # With IPv6 the guest would also send packets of its own.
            append=f"ipv6.disable=1 {self.append}",
            processors=self.queues,  # Linux uses no more queues than it has processors
            name=name,
            release=self.front,
        ) as machine:
            if self.front_end_listens:
                wait_for_listener(socket, machine.process)
            yield machine

    def act(self, folder: Path, front_end: Guest, back_end: Testpmd) -> Flood:
        found = front_end.results()
        sent = int(found["sent"])
        received = back_end.wait_received(sent)
        back_end.stop()
        back_end.quit()
        return Flood(sent, received, int(found["microseconds"]) / 1e6)


@dataclass(frozen=True)
class QemuListens(Network):
    """A guest floods the network with broadcasts. QEMU listens and waits for the back-end to connect."""

    front_end_listens: ClassVar[bool] = True


@dataclass(frozen=True)
class Iommu(Network):
    """A guest with a virtual IOMMU floods the network with broadcasts.

    The guest maps a separate buffer for each packet, so the back-end must look up its address, and is informed when the
    mapping ends.
    """

    options: ClassVar[tuple[str, ...]] = ("-device", "intel-iommu,intremap=off,device-iotlb=on")
    properties: ClassVar[str] = ",disable-legacy=on,iommu_platform=on,ats=on"
    # Strict: mappings are ended one by one, not in batches.
    append: ClassVar[str] = "intel_iommu=on iommu.strict=1"
    iommu: ClassVar[bool] = True


def flood(packets: int, pause: int) -> str:
    """A script for a guest that sends this many packets, with a pause (ns) between them."""
    return f"""
ip link set eth0 up
pktgen=/proc/net/pktgen
echo add_device eth0 > $pktgen/kpktgend_0
for setting in "count {packets}" "delay {pause}" "pkt_size 1000" "dst_mac ff:ff:ff:ff:ff:ff" "dst 192.0.2.255"; do
    echo "$setting" > $pktgen/eth0
done
echo RESULT starts=yes
echo start > $pktgen/pgctrl
echo RESULT sent=$(sed -n 's/.*pkts-sofar: \\([0-9]*\\).*/\\1/p' $pktgen/eth0)
echo RESULT microseconds=$(sed -n 's/^Result: OK: \\([0-9]*\\).*/\\1/p' $pktgen/eth0)
"""
