"""A directory of the host in a guest: QEMU's vhost-user-fs and virtiofsd."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
    """A file that the guest read, with the SHA-256 in hex that it found, and a file that it wrote."""

    given: bytes
    digest_of_given: str
    taken: bytes


@dataclass(frozen=True)
class FileSystem(Situation[Guest, Process, Sharing]):
    """A guest mounts a directory of the host, reads a file, writes another and unmounts."""

    @contextmanager
    def back_end(self, folder: Path, socket: str) -> Iterator[Process]:
        shared = folder / _SHARED
        shared.mkdir()
        (shared / "from-host").write_bytes(_given())
        share = virtiofsd if self.back is Release.BOOKWORM else virtiofsd_in_rust
        with share(shared, socket, folder) as daemon:
            yield daemon

    @contextmanager
    def front_end(self, folder: Path, socket: str) -> Iterator[Guest]:
        devices = ["-chardev", f"socket,id=fs,path={socket}", "-device", "vhost-user-fs-pci,chardev=fs,tag=shared"]
        with guest(_SCRIPT, folder, modules=("virtiofs",), devices=devices, release=self.front) as machine:
            yield machine

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Sharing:
        found = front_end.results()
        taken = (folder / _SHARED / "from-guest").read_bytes()
        return Sharing(_given(), found["digest_of_given"].split()[0], taken)


def _given() -> bytes:
    return random.Random("file system").randbytes(100_000)
