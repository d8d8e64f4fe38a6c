"""What front-end and back-end do together while `vuproxy` records it, and what can be seen of it from outside.

Each function runs one pair from start to end in an empty folder, leaves the capture complete, and returns what the
peers did. Whether that was right is for the tests to say.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import storage_daemon, virtiofsd
from tests.peers.guest import guest, results
from tests.peers.proxy import Between, recorded
from tests.peers.testpmd import Testpmd, net_vhost, virtio_user

SECTOR = 512
SECTORS = 12345  # of the disk; an unlikely number, so that seeing it again means something
MIB = 1 << 20
GUEST_WRITES = (b"vudissect\n" * MIB)[:MIB]  # to its disk or into a file

# Every program runs in the folder of its situation: a path from the root could be too long for a socket, and would
# make every capture name another folder.
_FRONT, _BACK = "front.sock", "back.sock"

_LEAST_PACKETS = 10_000  # before a sender without limit is stopped


@dataclass(frozen=True)
class DiskUse:
    """A disk that a guest has used; digests are SHA-256 in hex, made by the guest."""

    before: bytes
    after: bytes
    written_at: int
    sectors: int
    digest_of_first_mib: str
    digest_of_written: str


def disk(folder: Path, capture: Path) -> DiskUse:
    """QEMU's vhost-user-blk and qemu-storage-daemon: a guest reads from, writes to and reads back a disk."""
    image = folder / "disk.img"
    before = random.Random(SECTORS).randbytes(SECTORS * SECTOR)
    image.write_bytes(before)
    script = """
echo RESULT sectors=$(cat /sys/block/vda/size)
echo RESULT digest_of_first_mib=$(dd if=/dev/vda bs=1M count=1 2> /dev/null | sha256sum)
yes vudissect | head -c 1048576 | dd of=/dev/vda bs=1M seek=2 iflag=fullblock 2> /dev/null
sync
echo 3 > /proc/sys/vm/drop_caches
echo RESULT digest_of_written=$(dd if=/dev/vda bs=1M skip=2 count=1 2> /dev/null | sha256sum)
"""
    devices = ["-chardev", f"socket,id=disk,path={_FRONT}", "-device", "vhost-user-blk-pci,chardev=disk"]
    with (
        storage_daemon(image, _BACK, folder),
        recorded(capture, front_end=f"listen:{_FRONT}", back_end=f"connect:{_BACK}"),
        guest(script, folder, modules=("virtio_blk",), devices=devices) as machine,
    ):
        found = results(machine)
    return DiskUse(
        before=before,
        after=image.read_bytes(),
        written_at=2 * MIB,
        sectors=int(found["sectors"]),
        digest_of_first_mib=found["digest_of_first_mib"].split()[0],
        digest_of_written=found["digest_of_written"].split()[0],
    )


@dataclass(frozen=True)
class Sharing:
    """A file that the guest read, with the SHA-256 in hex that it found, and a file that it wrote."""

    given: bytes
    digest_of_given: str
    taken: bytes


def file_system(folder: Path, capture: Path) -> Sharing:
    """QEMU's vhost-user-fs and virtiofsd: a guest mounts a directory of the host, reads one file and writes another."""
    shared = folder / "shared"
    shared.mkdir()
    given = random.Random("file system").randbytes(100_000)
    (shared / "from-host").write_bytes(given)
    script = """
mount -t virtiofs shared /mnt
echo RESULT digest_of_given=$(sha256sum < /mnt/from-host)
yes vudissect | head -c 1048576 > /mnt/from-guest
umount /mnt
"""
    devices = ["-chardev", f"socket,id=fs,path={_FRONT}", "-device", "vhost-user-fs-pci,chardev=fs,tag=shared"]
    with (
        virtiofsd(shared, _BACK, folder),
        recorded(capture, front_end=f"listen:{_FRONT}", back_end=f"connect:{_BACK}"),
        guest(script, folder, modules=("virtiofs",), devices=devices) as machine,
    ):
        found = results(machine)
    return Sharing(given, found["digest_of_given"].split()[0], (shared / "from-guest").read_bytes())


@dataclass(frozen=True)
class Packets:
    """Packets as the sender and the receiver count them."""

    sent: int
    received: int


def virtio_user_dials(folder: Path, capture: Path) -> Packets:
    """DPDK's virtio_user and net_vhost, which listens: what one sends the other receives."""
    with (
        net_vhost(_BACK, folder) as back_end,
        recorded(capture, front_end=f"listen:{_FRONT}", back_end=f"connect:{_BACK}"),
        virtio_user(_FRONT, folder) as front_end,
    ):
        return _send(front_end, back_end)


def virtio_user_listens(folder: Path, capture: Path) -> Packets:
    """The same with the roles of the sockets exchanged: virtio_user listens, net_vhost dials."""
    with (
        virtio_user(_FRONT, folder, listen=True) as front_end,
        # Once: net_vhost dials again as soon as virtio_user has gone.
        recorded(capture, front_end=f"connect:{_FRONT}", back_end=f"listen:{_BACK}", once=True),
        net_vhost(_BACK, folder, listen=False) as back_end,
    ):
        return _send(front_end, back_end)


def _send(front_end: Testpmd, back_end: Testpmd) -> Packets:
    back_end.ready()
    front_end.ready()
    back_end.start()
    front_end.start()
    back_end.wait_received(_LEAST_PACKETS)
    front_end.stop()
    sent = front_end.sent()
    received = back_end.wait_received(sent)
    # In this order: virtio_user asks the back-end for its ring positions before it goes.
    front_end.quit()
    back_end.quit()
    return Packets(sent, received)


@dataclass(frozen=True)
class Flood(Packets):
    """Packets, and how long it took the sender to get rid of them."""

    seconds: float


def iommu(folder: Path, capture: Path, packets: int = 2000, between: Between = recorded) -> Flood:
    """QEMU's vhost-user-net behind a virtual IOMMU and DPDK's net_vhost: a guest floods the network with broadcasts.

    Each packet is in a buffer that the guest maps for it alone, so the back-end must ask for its address, and is told
    when that holds no more. `between` runs what stands between the two.
    """
    script = f"""
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
    devices = [
        *("-device", "intel-iommu,intremap=off,device-iotlb=on"),
        *("-chardev", f"socket,id=net,path={_FRONT}", "-netdev", "vhost-user,id=net,chardev=net"),
        # Without vectors=0, QEMU 7.2 crashes under TCG when the driver turns MSI-X on.
        *("-device", "virtio-net-pci,netdev=net,disable-legacy=on,iommu_platform=on,ats=on,vectors=0"),
    ]
    with (
        net_vhost(_BACK, folder, iommu=True) as back_end,
        between(capture, front_end=f"listen:{_FRONT}", back_end=f"connect:{_BACK}"),
    ):
        back_end.ready()
        back_end.start()
        # Strict: mappings end one by one, not by the hundred. Without IPv6 the guest sends nothing of its own, so the
        # numbers can be compared.
        append = "intel_iommu=on iommu.strict=1 ipv6.disable=1"
        modules = ("virtio_net", "pktgen")
        with guest(script, folder, modules=modules, devices=devices, append=append) as machine:
            found = results(machine)
            sent = int(found["sent"])
        received = back_end.wait_received(sent)
        back_end.stop()
        back_end.quit()
    return Flood(sent, received, int(found["microseconds"]) / 1e6)
