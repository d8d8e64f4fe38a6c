"""A guest's disk: QEMU's vhost-user-blk and qemu-storage-daemon."""

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.daemons import storage_daemon
from tests.peers.guest import MEMORY, Guest, guest, memory
from tests.peers.processes import Process
from tests.peers.situations.situation import MIB, Situation

SECTOR = 512
SECTORS = 12345  # of the disk; an unlikely number, so that finding it is no coincidence
PLUGGED = 128 * MIB
PIECES = 64  # that a guest writes while something happens to it
GUEST_WRITES = (b"vudissect\n" * MIB)[:MIB]

IMAGE = "disk.img"
READ = """
echo RESULT sectors=$(cat /sys/block/vda/size)
echo RESULT digest_of_first_mib=$(dd if=/dev/vda bs=1M count=1 2> /dev/null | sha256sum)
"""
WRITTEN = """
echo 3 > /proc/sys/vm/drop_caches
echo RESULT digest_of_written=$(dd if=/dev/vda bs=1M skip=2 count=1 2> /dev/null | sha256sum)
"""
WRITE = f"""
yes vudissect | head -c 1048576 | dd of=/dev/vda bs=1M seek=2 iflag=fullblock 2> /dev/null
sync
{WRITTEN}"""


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

    script: ClassVar[str] = READ + WRITE
    """The guest's script."""
    options: ClassVar[tuple[str, ...]] = ()
    """Further options of QEMU."""
    append: ClassVar[str] = ""
    """Further parameters of the guest's kernel."""

    @property
    def chardev(self) -> str:
        """Further properties of QEMU's end of the socket."""
        return ""

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Process]:
        image = folder / IMAGE
        if not image.exists():
            image.write_bytes(contents())
        return storage_daemon(image, socket, folder, queues=self.queues, release=self.back)

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.machine(folder, socket)

    def machine(
        self,
        folder: Path,
        socket: str,
        *,
        options: Sequence[str] = (),
        name: str = "guest",
        wrapper: Sequence[str] = (),
    ) -> AbstractContextManager[Guest]:
        """QEMU with the disk and further options."""
        device = f"vhost-user-blk-pci,chardev=disk,num-queues={self.queues}"
        chardev = f"socket,id=disk,path={socket}{self.chardev}"
        return guest(
            self.script,
            folder,
            modules=("virtio_blk",),
            devices=["-chardev", chardev, "-device", device, *self.options, *options],
            append=self.append,
            memory=memory(self.regions),
            processors=self.queues,  # Linux uses no more queues than it has processors
            name=name,
            release=self.front,
            wrapper=wrapper,
        )

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> DiskUse:
        return disk_use(folder, front_end.results())


@dataclass(frozen=True)
class Reboot(Disk):
    """A guest reads from and writes to a disk, reboots, and reads back what it wrote."""

    script: ClassVar[str] = f"""{READ}
if [ "$(dd if=/dev/vda bs=1 skip=2097152 count=9 2> /dev/null)" != vudissect ]; then
    yes vudissect | head -c 1048576 | dd of=/dev/vda bs=1M seek=2 iflag=fullblock 2> /dev/null
    sync
    echo RESULT reboots=yes
    reboot -f
fi
echo RESULT digest_of_written=$(dd if=/dev/vda bs=1M skip=2 count=1 2> /dev/null | sha256sum)
"""
    options: ClassVar[tuple[str, ...]] = ("-action", "reboot=reset")


@dataclass(frozen=True)
class DriverReloaded(Disk):
    """A guest reads from a disk, reloads the driver, writes to the disk and reads back."""

    script: ClassVar[str] = f"""{READ}
rmmod virtio_blk
insmod /lib/virtio_blk.ko
{WRITE}"""


@dataclass(frozen=True)
class MemoryPlugged(Disk):
    """A guest reads from a disk, gets 128 MiB more memory, writes to the disk and reads back."""

    script: ClassVar[str] = f"""{READ}
before=$(sed -n 's/MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo)
echo RESULT waits=yes
until [ $(sed -n 's/MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo) -gt $((before + 100000)) ]; do sleep 0.1; done
{WRITE}"""
    options: ClassVar[tuple[str, ...]] = ("-m", f"{MEMORY}M,slots=1,maxmem=1G")
    append: ClassVar[str] = "memhp_default_state=online"

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> DiskUse:
        front_end.wait_for("waits")
        with front_end.monitor() as monitor:
            monitor.execute("object-add", qom_type="memory-backend-memfd", id="more", size=PLUGGED, share=True)
            monitor.execute("device_add", driver="pc-dimm", id="dimm", memdev="more")
        return super().act(folder, front_end, back_end)


def in_pieces(pause: float = 0.0, rest_after: str = "") -> str:
    """A script for a guest that writes and syncs 64 pieces to its disk, with a pause (seconds) after each.

    After the piece `rest_after` it does nothing for half a second.
    """
    return f"""{READ}
yes vudissect | head -c 1048576 > /data
for piece in $(seq 0 {PIECES - 1}); do
    dd if=/data of=/dev/vda bs=16k count=1 skip=$piece seek=$((128 + piece)) conv=fsync 2> /dev/null
    echo RESULT piece=$piece
    sleep {pause}
    [ $piece != "{rest_after}" ] || sleep 0.5
done
{WRITTEN}"""


def disk_use(folder: Path, found: dict[str, str]) -> DiskUse:
    """The image in the folder after the run, with the guest's results."""
    return DiskUse(
        before=contents(),
        after=(folder / IMAGE).read_bytes(),
        written_at=2 * MIB,
        sectors=int(found["sectors"]),
        digest_of_first_mib=found["digest_of_first_mib"].split()[0],
        digest_of_written=found["digest_of_written"].split()[0],
    )


def contents() -> bytes:
    """The initial contents of the image."""
    return random.Random(SECTORS).randbytes(SECTORS * SECTOR)
