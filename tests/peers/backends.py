"""The back-ends that the conformance suite is run against: a table, and how to run one of its rows.

`docs/conformance/` has the results, which tools/conformance.py makes.
"""

import os
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


class BackEnd(NamedTuple):
    """A row.

    `key` is the name of its files. `words` come after the program in its command: `{socket}` is where it listens, and
    `{folder}` the folder in which it runs, which has a disk `disk.img` and a folder `shared`. `options` are those of
    `vudissect check`.
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
_PASST = ("--foreground", "--vhost-user", "--socket", "{socket}", "--ipv4-only", "--address", "192.0.2.15")

BACK_ENDS = (
    BackEnd("qemu-storage-daemon-7.2", "qemu-storage-daemon", "qemu-storage-daemon", "qemu-system-common", _DISK),
    BackEnd(
        "qemu-storage-daemon-10.0",
        "qemu-storage-daemon",
        "qemu-storage-daemon",
        "qemu-utils",
        _DISK,
        Release.TRIXIE,
    ),
    BackEnd(
        "virtiofsd-c-7.2",
        "virtiofsd (C)",
        "/usr/lib/qemu/virtiofsd",
        "qemu-system-common",
        ("--socket-path={socket}", "-o", "source={folder}/shared", "-o", "sandbox=chroot"),
    ),
    BackEnd(
        "virtiofsd-1.13",
        "virtiofsd (Rust)",
        "virtiofsd",
        "virtiofsd",
        ("--socket-path={socket}", "--shared-dir=shared", "--sandbox=chroot"),
        Release.TRIXIE,
    ),
    BackEnd("dpdk-net-vhost-22.11", "DPDK net_vhost", "dpdk-testpmd", "dpdk-dev", _NET_VHOST),
    BackEnd("dpdk-net-vhost-24.11", "DPDK net_vhost", "dpdk-testpmd", "dpdk-dev", _NET_VHOST, Release.TRIXIE),
    BackEnd(
        "vhost-user-gpu-10.0",
        "vhost-user-gpu",
        "vhost-user-gpu",
        "qemu-system-gui",
        ("--socket-path={socket}",),
        Release.TRIXIE,
    ),
    BackEnd(
        "passt-trixie",
        "passt",
        "passt",
        "passt",
        (*_PASST, "--netmask", "24", "--gateway", "192.0.2.1", "--runas", "0"),
        Release.TRIXIE,
    ),
)


def check(back_end: BackEnd, folder: Path, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `vudissect check` on a back-end in an empty folder; `PeerError` if the back-end is not installed."""
    command = back_end.command(folder)
    with (folder / "disk.img").open("wb") as disk:
        disk.truncate(_DISK_SIZE)
    (folder / "shared").mkdir()
    named = ("--name", back_end.name, "--peer-version", back_end.version)
    try:
        return subprocess.run(
            [
                *python_module("vudissect"),
                *("check", *named, *back_end.options, *options, "--", *back_end.release.within, *command),
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
