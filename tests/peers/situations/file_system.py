"""A host directory in a guest: QEMU's vhost-user-fs and virtiofsd."""

import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.daemons import virtiofsd, virtiofsd_in_rust
from tests.peers.guest import Guest, guest
from tests.peers.processes import Process
from tests.peers.releases import Release
from tests.peers.situations.situation import MIB, Situation

GUEST_WRITES = (b"vudissect\n" * MIB)[:MIB]

_SHARED = "shared"
_SCRIPT = """
mount -t virtiofs shared /mnt
echo RESULT digest_of_given=$(sha256sum < /mnt/from-host)
yes vudissect | head -c 1048576 > /mnt/from-guest
umount /mnt
"""


@dataclass(frozen=True)
class Sharing:
    """A file that the guest read, its SHA-256 in hex as the guest found it, and a file that the guest wrote."""

    given: bytes
    digest_of_given: str
    taken: bytes


@dataclass(frozen=True)
class FileSystem(Situation[Guest, Process, Sharing]):
    """A guest mounts a host directory, reads a file, writes another one and unmounts."""

    script: ClassVar[str] = _SCRIPT
    """The guest's script."""

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Process]:
        return self.daemon(folder, socket, "virtiofsd")

    def daemon(self, folder: Path, socket: str, name: str) -> AbstractContextManager[Process]:
        """A back-end for the directory."""
        shared = folder / _SHARED
        if not shared.exists():
            shared.mkdir()
            (shared / "from-host").write_bytes(_given())
        if self.back is Release.BOOKWORM:
            return virtiofsd(shared, socket, folder)
        return virtiofsd_in_rust(shared, socket, folder, name)

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.machine(folder, socket)

    def machine(
        self, folder: Path, socket: str, *, options: Sequence[str] = (), name: str = "guest"
    ) -> AbstractContextManager[Guest]:
        """QEMU with the directory and further options."""
        device = "vhost-user-fs-pci,chardev=fs,tag=shared"
        devices = ["-chardev", f"socket,id=fs,path={socket}", "-device", device, *options]
        return guest(self.script, folder, modules=("virtiofs",), devices=devices, name=name, release=self.front)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Sharing:
        return sharing(folder, front_end.results())


def sharing(folder: Path, found: Mapping[str, str]) -> Sharing:
    """The shared files with the guest's results."""
    taken = (folder / _SHARED / "from-guest").read_bytes()
    return Sharing(_given(), found["digest_of_given"].split()[0], taken)


def _given() -> bytes:
    return random.Random("file system").randbytes(100_000)
