"""A guest's disk: QEMU's vhost-user-blk and qemu-storage-daemon."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import storage_daemon
from tests.peers.guest import Guest, guest, memory
from tests.peers.processes import Process
from tests.peers.situations.situation import MIB, Situation

SECTOR = 512
SECTORS = 12345  # of the disk; an unlikely number, so that seeing it again means something
GUEST_WRITES = (b"vudissect\n" * MIB)[:MIB]

_IMAGE = "disk.img"
_READ = """
echo RESULT sectors=$(cat /sys/block/vda/size)
echo RESULT digest_of_first_mib=$(dd if=/dev/vda bs=1M count=1 2> /dev/null | sha256sum)
"""
_WRITE = """
yes vudissect | head -c 1048576 | dd of=/dev/vda bs=1M seek=2 iflag=fullblock 2> /dev/null
sync
echo 3 > /proc/sys/vm/drop_caches
echo RESULT digest_of_written=$(dd if=/dev/vda bs=1M skip=2 count=1 2> /dev/null | sha256sum)
"""


@dataclass(frozen=True)
class DiskUse:
    """A disk that a guest has used; digests are SHA-256 in hex, made by the guest."""

    before: bytes
    after: bytes
    written_at: int
    sectors: int
    digest_of_first_mib: str
    digest_of_written: str


@dataclass(frozen=True)
class Disk(Situation[Guest, Process, DiskUse]):
    """A guest reads from, writes to and reads back a disk."""

    queues: int = 1
    regions: int = 1  # of the guest's memory

    @contextmanager
    def back_end(self, folder: Path, socket: str) -> Iterator[Process]:
        (folder / _IMAGE).write_bytes(_contents())
        with storage_daemon(folder / _IMAGE, socket, folder, queues=self.queues) as daemon:
            yield daemon

    @contextmanager
    def front_end(self, folder: Path, socket: str) -> Iterator[Guest]:
        device = f"vhost-user-blk-pci,chardev=disk,num-queues={self.queues}"
        devices = ["-chardev", f"socket,id=disk,path={socket}", "-device", device]
        with guest(
            self.script(),
            folder,
            modules=("virtio_blk",),
            devices=devices,
            memory=memory(self.regions),
            processors=self.queues,  # Linux uses no more queues than it has processors
        ) as machine:
            yield machine

    def script(self) -> str:
        """What the guest does."""
        return _READ + _WRITE

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> DiskUse:
        found = front_end.results()
        return DiskUse(
            before=_contents(),
            after=(folder / _IMAGE).read_bytes(),
            written_at=2 * MIB,
            sectors=int(found["sectors"]),
            digest_of_first_mib=found["digest_of_first_mib"].split()[0],
            digest_of_written=found["digest_of_written"].split()[0],
        )


def _contents() -> bytes:
    return random.Random(SECTORS).randbytes(SECTORS * SECTOR)
