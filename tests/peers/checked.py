"""The programs that the conformance suite is run against: a table, and how to run one of its rows.

`docs/conformance/` has the results, which tools/conformance.py makes.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.peers.processes import PeerError, program
from tests.peers.releases import Release
from vudissect.host.python import python_module

_DISK_SIZE = 16 << 20
_TIMEOUT = 1200.0
_LOCKS = Path("/var/run/virtiofsd")
_SCRIPTS = Path(__file__).parents[2] / "docs" / "conformance" / "start"


class Checked(NamedTuple):
    """A row.

    `key` is the name of its files. `words` come after the program in its command: `{socket}` is its socket, and
    `{folder}` the folder in which it runs, which has a disk `disk.img`, a folder `shared` and the scripts of
    docs/conformance/start. `options` are those of `vudissect check`.
    """

    key: str
    name: str
    program: str
    package: str
    words: Sequence[str]
    release: Release = Release.BOOKWORM
    options: Sequence[str] = ()

    @property
    def version(self) -> str:
        """The version of its package, without the epoch; `PeerError` if it is not installed."""
        database = ("--admindir", str(self.release.root / "var/lib/dpkg"))
        query = ["dpkg-query", *database, "--show", "--showformat", "${Version}", self.package]
        done = subprocess.run(query, capture_output=True, text=True)
        if done.returncode or not done.stdout:
            raise PeerError(f"{self.package} is not installed in Debian {self.release.value}")
        return done.stdout.rpartition(":")[2]

    def command(self, folder: Path) -> list[str]:
        """The command, without what makes it run in its release; `PeerError` if it is not there."""
        if os.path.isabs(self.program):
            if not (self.release.root / self.program[1:]).exists():
                raise PeerError(f"{self.program} is not there; on Debian: apt install {self.package}")
            path = self.program
        elif self.release is Release.BOOKWORM:
            program(self.program, self.package)
            path = self.program
        else:
            path = self.release.program(self.program, self.package)
        return [path, *(word.replace("{folder}", str(folder)) for word in self.words)]


_DISK = (
    *("--blockdev", "driver=file,node-name=file,filename=disk.img,locking=off"),
    *("--blockdev", "driver=raw,node-name=disk,file=file"),
    *("--export", "type=vhost-user-blk,id=disk,node-name=disk,writable=on,addr.type=unix,addr.path={socket}"),
)
_NET_VHOST = (
    *("--lcores", "0@(0-1),1@1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", "--no-shconf"),
    *("--vdev", "net_vhost0,iface={socket}", "--", "--forward-mode=rxonly", "--total-num-mbufs=2048", "--no-mlockall"),
)
# It touches all memory before it acknowledges it, which takes nearly a second even on a machine that does nothing else.
_SLOW = ("--timeout", "3")
_PASST = ("--foreground", "--vhost-user", "--socket", "{socket}", "--ipv4-only", "--address", "192.0.2.15")

BACK_ENDS = (
    Checked("qemu-storage-daemon-7.2", "qemu-storage-daemon", "qemu-storage-daemon", "qemu-system-common", _DISK),
    Checked(
        "qemu-storage-daemon-10.0",
        "qemu-storage-daemon",
        "qemu-storage-daemon",
        "qemu-utils",
        _DISK,
        Release.TRIXIE,
    ),
    Checked(
        "virtiofsd-c-7.2",
        "virtiofsd (C)",
        "/usr/lib/qemu/virtiofsd",
        "qemu-system-common",
        ("--socket-path={socket}", "-o", "source={folder}/shared", "-o", "sandbox=chroot"),
    ),
    Checked(
        "virtiofsd-1.13",
        "virtiofsd (Rust)",
        "virtiofsd",
        "virtiofsd",
        ("--socket-path={socket}", "--shared-dir=shared", "--sandbox=chroot"),
        Release.TRIXIE,
    ),
    Checked("dpdk-net-vhost-22.11", "DPDK net_vhost", "dpdk-testpmd", "dpdk-dev", _NET_VHOST, options=_SLOW),
    Checked("dpdk-net-vhost-24.11", "DPDK net_vhost", "dpdk-testpmd", "dpdk-dev", _NET_VHOST, Release.TRIXIE, _SLOW),
    Checked(
        "vhost-user-gpu-10.0",
        "vhost-user-gpu",
        "vhost-user-gpu",
        "qemu-system-gui",
        ("--socket-path={socket}",),
        Release.TRIXIE,
    ),
    Checked(
        "passt-trixie",
        "passt",
        "passt",
        "passt",
        (*_PASST, "--netmask", "24", "--gateway", "192.0.2.1", "--runas", "0"),
        Release.TRIXIE,
    ),
    Checked(
        "dpdk-vhost-blk-22.11",
        "DPDK vhost_blk",
        "sh",
        "dpdk-doc",
        ("vhost-blk.sh", "{socket}"),
        options=("--device", "blk", *_SLOW),
    ),
    Checked(
        "open-vswitch-3.1",
        "Open vSwitch",
        "sh",
        "openvswitch-switch-dpdk",
        ("open-vswitch.sh", "{socket}"),
        options=_SLOW,
    ),
)


_QEMU = (
    *("-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-machine", "q35,memory-backend=mem"),
    *("-object", "memory-backend-memfd,id=mem,size=64M,share=on", "-device", "vhost-user-blk-pci,chardev=c"),
)
_VIRTIO_USER = (
    *("--lcores", "0@(0-1),1@1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", "--no-shconf"),
    *("--vdev", "net_virtio_user0,path={socket},queues=1"),
    *("--", "--forward-mode=txonly", "--total-num-mbufs=2048", "--no-mlockall"),
)
_FRONT_END = ("--front-end", "--jobs", "2")
_NET = ("--front-end", "--device", "net")

FRONT_ENDS = (
    Checked(
        "qemu-7.2",
        "QEMU",
        "qemu-system-x86_64",
        "qemu-system-x86",
        (*_QEMU, "-chardev", "socket,id=c,path={socket},reconnect=1"),
        options=_FRONT_END,
    ),
    Checked(
        "qemu-10.0",
        "QEMU",
        "qemu-system-x86_64",
        "qemu-system-x86",
        (*_QEMU, "-chardev", "socket,id=c,path={socket},reconnect-ms=500"),
        Release.TRIXIE,
        _FRONT_END,
    ),
    Checked(
        "libblkio-1.5",
        "libblkio in qemu-img",
        "qemu-img",
        "libblkio1",
        (
            "bench",
            "-c",
            "4",
            "-t",
            "none",
            "--image-opts",
            "driver=virtio-blk-vhost-user,path={socket},cache.direct=on",
        ),
        Release.TRIXIE,
        _FRONT_END,
    ),
    Checked("dpdk-virtio-user-22.11", "DPDK virtio_user", "dpdk-testpmd", "dpdk-dev", _VIRTIO_USER, options=_NET),
    Checked(
        "dpdk-virtio-user-24.11",
        "DPDK virtio_user",
        "dpdk-testpmd",
        "dpdk-dev",
        _VIRTIO_USER,
        Release.TRIXIE,
        _NET,
    ),
)
CHECKED = (*BACK_ENDS, *FRONT_ENDS)


def check(checked: Checked, folder: Path, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `vudissect check` on a program in an empty folder; `PeerError` if it is not installed."""
    command = checked.command(folder)
    with (folder / "disk.img").open("wb") as disk:
        disk.truncate(_DISK_SIZE)
    (folder / "shared").mkdir()
    shutil.copytree(_SCRIPTS, folder, dirs_exist_ok=True)
    named = ("--name", checked.name, "--peer-version", checked.version)
    try:
        return subprocess.run(
            [
                *python_module("vudissect"),
                *("check", *named, *checked.options, *options, "--", *checked.release.within, *command),
            ],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            cwd=folder,
            # Of the files outside, only this folder is also in the tree of another release.
            env={**os.environ, "TMPDIR": str(folder)},
        )
    finally:
        # virtiofsd in C locks a file that is named after its socket, and leaves it there.
        for lock in _LOCKS.glob(f"{str(folder).replace('/', '.')}*.pid"):
            lock.unlink(missing_ok=True)
