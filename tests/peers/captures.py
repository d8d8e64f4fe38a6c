"""The captures in `captures/`: the situation that each was recorded in, and the programs that it needs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.peers.releases import Release
from tests.peers.rings_seen import IN_SIGHT
from tests.peers.situations.disk import Disk, DriverReloaded, MemoryPlugged, Reboot
from tests.peers.situations.file_system import FileSystem
from tests.peers.situations.file_system_migration import FileSystemMigrationDestination, FileSystemMigrationSource
from tests.peers.situations.gpu import Gpu
from tests.peers.situations.libblkio import Libblkio
from tests.peers.situations.migration import MigrationDestination, MigrationSource
from tests.peers.situations.network import Iommu, Network, QemuListens
from tests.peers.situations.network_migration import (
    NetworkMigrationDestination,
    NetworkMigrationSource,
    PostcopyDestination,
)
from tests.peers.situations.passt import Passt
from tests.peers.situations.reconnection import BackEndKilled, RelayKilled
from tests.peers.situations.resize import Resized
from tests.peers.situations.situation import Situation
from tests.peers.situations.stall import BackEndStopped
from tests.peers.situations.switch import SwitchConnects, SwitchListens
from tests.peers.situations.uml_disk import UmlDisk
from tests.peers.situations.virtio_user import VhostKilled, VirtioUserConnects, VirtioUserListens

FOLDER = Path(__file__).resolve().parents[2] / "captures"


@dataclass(frozen=True)
class Package:
    """A Debian package; `version` is the start of its version (without epoch), if the capture's name has it."""

    name: str
    version: str = ""
    release: Release = Release.BOOKWORM


@dataclass(frozen=True)
class Capture:
    """One capture. `make test` records it again if it is `quick`, otherwise only `make test-peers` does.

    `front_end` and `back_end` are the two programs, `packages` what must be installed, with versions. `resumed` if the
    front-end resumes a device that was in use, or leaves one in use, so that a front-end that was just started sends
    other messages. `options` are those of the `vuproxy` that records it.
    """

    situation: Situation[Any, Any, Any]
    front_end: str
    back_end: str
    packages: tuple[Package, ...]
    quick: bool = True
    resumed: bool = False
    options: tuple[str, ...] = ()


_QEMU = Package("qemu-system-x86", "7.2")
_TOOLS = Package("qemu-system-common", "7.2")  # qemu-storage-daemon, virtiofsd
_DPDK = Package("dpdk-dev", "22.11")
_SWITCH = Package("openvswitch-switch-dpdk", "3.1")
_GUEST = (_QEMU, Package("linux-image-cloud-amd64"), Package("busybox-static"))

_TRIXIE = Release.TRIXIE
_QEMU_10 = Package("qemu-system-x86", "10.0", _TRIXIE)
_TOOLS_10 = Package("qemu-utils", "10.0", _TRIXIE)  # qemu-storage-daemon, qemu-io
_VIRTIOFSD_1 = Package("virtiofsd", "1.13", _TRIXIE)
_DPDK_24 = Package("dpdk-dev", "24.11", _TRIXIE)
_GUEST_10 = (_QEMU_10, Package("linux-image-amd64", "", _TRIXIE), Package("busybox-static"))


def _disk(situation: Situation[Any, Any, Any], *, quick: bool = True) -> Capture:
    return Capture(situation, "QEMU, vhost-user-blk", "qemu-storage-daemon", (*_GUEST, _TOOLS), quick)


def _network(situation: Situation[Any, Any, Any], *, quick: bool = True) -> Capture:
    return Capture(situation, "QEMU, vhost-user-net", "DPDK, net_vhost", (*_GUEST, _DPDK), quick)


def _switch(situation: Situation[Any, Any, Any]) -> Capture:
    return Capture(situation, "QEMU, vhost-user-net", "Open vSwitch", (*_GUEST, _SWITCH), quick=False)


def _virtio_user(situation: Situation[Any, Any, Any], *, quick: bool = True) -> Capture:
    return Capture(situation, "DPDK, virtio_user", "DPDK, net_vhost", (_DPDK,), quick)


def _of_trixie(capture: Capture, *packages: Package) -> Capture:
    """The same between two peers from trixie, with these packages."""
    situation = replace(capture.situation, front=_TRIXIE, back=_TRIXIE)
    return replace(capture, situation=situation, packages=packages, quick=False)


def _disk_10(situation: Situation[Any, Any, Any]) -> Capture:
    return _of_trixie(_disk(situation), *_GUEST_10, _TOOLS_10)


def _files_10(situation: Situation[Any, Any, Any]) -> Capture:
    sides = ("QEMU, vhost-user-fs", "virtiofsd (the one in Rust)")
    return _of_trixie(Capture(situation, *sides, ()), *_GUEST_10, _VIRTIOFSD_1)


CAPTURES: dict[str, Capture] = {
    "qemu-7.2-blk-qsd": _disk(Disk()),
    "qemu-7.2-blk-qsd-4-queues": _disk(Disk(queues=4)),
    "qemu-7.2-blk-qsd-4-regions": _disk(Disk(regions=4)),
    "qemu-7.2-blk-qsd-reboot": _disk(Reboot()),
    "qemu-7.2-blk-qsd-driver-reload": _disk(DriverReloaded()),
    "qemu-7.2-blk-qsd-memory-hotplug": _disk(MemoryPlugged()),
    "qemu-7.2-blk-qsd-back-end-killed": _disk(BackEndKilled()),
    "qemu-7.2-blk-qsd-back-end-stopped": replace(_disk(BackEndStopped()), options=IN_SIGHT),
    "qemu-7.2-blk-qsd-relay-killed": _disk(RelayKilled()),
    "qemu-7.2-blk-qsd-relay-restarted": replace(_disk(RelayKilled(second=True)), resumed=True),
    "qemu-7.2-blk-qsd-migration-source": _disk(MigrationSource(), quick=False),
    "qemu-7.2-blk-qsd-migration-destination": replace(_disk(MigrationDestination(), quick=False), resumed=True),
    "uml-6.1-blk-qsd-7.2": Capture(
        UmlDisk(), "User-Mode Linux", "qemu-storage-daemon", (Package("user-mode-linux", "6.1"), _TOOLS)
    ),
    "qemu-7.2-fs-virtiofsd": Capture(
        FileSystem(), "QEMU, vhost-user-fs", "virtiofsd (the one in C)", (*_GUEST, _TOOLS)
    ),
    "qemu-7.2-net-dpdk-22.11": _network(Network()),
    "qemu-7.2-net-dpdk-22.11-2-pairs": _network(Network(queues=2)),
    "qemu-7.2-net-server-dpdk-22.11-client": _network(QemuListens()),
    "qemu-7.2-net-dpdk-22.11-migration-source": replace(_network(NetworkMigrationSource(), quick=False), resumed=True),
    "qemu-7.2-net-dpdk-22.11-migration-destination": replace(
        _network(NetworkMigrationDestination(), quick=False), resumed=True
    ),
    "qemu-7.2-net-dpdk-22.11-postcopy-destination": replace(_network(PostcopyDestination(), quick=False), resumed=True),
    # Enough packets to be useful, few enough for a file under version control.
    "qemu-7.2-net-iommu-dpdk-22.11": _network(Iommu(packets=180)),
    "qemu-7.2-net-ovs-3.1": _switch(SwitchListens()),
    "qemu-7.2-net-server-ovs-3.1-client": _switch(SwitchConnects()),
    "dpdk-22.11-virtio-user-vhost": _virtio_user(VirtioUserConnects()),
    "dpdk-22.11-virtio-user-server-vhost-client": _virtio_user(VirtioUserListens()),
    "dpdk-22.11-virtio-user-2-queues-packed": _virtio_user(VirtioUserConnects(queues=2, packed=True)),
    "dpdk-22.11-virtio-user-server-vhost-killed": _virtio_user(VhostKilled()),
    "qemu-10.0-blk-qsd": _disk_10(Disk()),
    "qemu-10.0-blk-qsd-4-queues": _disk_10(Disk(queues=4)),
    "qemu-10.0-blk-qsd-4-regions": _disk_10(Disk(regions=4)),
    "qemu-10.0-blk-qsd-reboot": _disk_10(Reboot()),
    "qemu-10.0-blk-qsd-memory-hotplug": _disk_10(MemoryPlugged()),
    "qemu-10.0-blk-qsd-back-end-killed": _disk_10(BackEndKilled()),
    "qemu-10.0-blk-qsd-migration-source": _disk_10(MigrationSource()),
    "qemu-10.0-blk-qsd-migration-destination": replace(_disk_10(MigrationDestination()), resumed=True),
    "qemu-10.0-blk-qsd-7.2": replace(_disk(Disk(front=_TRIXIE), quick=False), packages=(*_GUEST_10, _TOOLS)),
    "qemu-7.2-blk-qsd-10.0": replace(_disk(Disk(back=_TRIXIE), quick=False), packages=(*_GUEST, _TOOLS_10)),
    "qemu-10.0-fs-virtiofsd-1.13": _files_10(FileSystem()),
    "qemu-10.0-fs-virtiofsd-1.13-migration-source": _files_10(FileSystemMigrationSource()),
    "qemu-10.0-fs-virtiofsd-1.13-migration-destination": replace(
        _files_10(FileSystemMigrationDestination()), resumed=True
    ),
    "qemu-10.0-blk-qsd-resize": _disk_10(Resized()),
    "libblkio-1.5-qsd-10.0": _of_trixie(
        Capture(Libblkio(), "qemu-io, virtio-blk-vhost-user of libblkio", "qemu-storage-daemon", ()),
        *(Package("libblkio1", "1.5", _TRIXIE), _TOOLS_10),
    ),
    "qemu-10.0-net-passt-2025.05": _of_trixie(
        Capture(Passt(), "QEMU, vhost-user-net", "passt", ()),
        *(*_GUEST_10, Package("passt", "0.0~git202505", _TRIXIE)),
    ),
    "qemu-10.0-gpu": _of_trixie(
        Capture(Gpu(), "QEMU, vhost-user-gpu", "vhost-user-gpu", ()),
        *(*_GUEST_10, Package("qemu-system-gui", "10.0", _TRIXIE)),
    ),
    "dpdk-24.11-virtio-user-vhost": _of_trixie(_virtio_user(VirtioUserConnects()), _DPDK_24),
}


def path_of(name: str) -> Path:
    """The path of a capture."""
    return FOLDER / f"{name}.pcapng"


def provenance_of(name: str) -> Path:
    """The path of the page that describes how a capture was made."""
    return FOLDER / f"{name}.md"
