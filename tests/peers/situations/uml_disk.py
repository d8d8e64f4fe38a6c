"""The disk of a User-Mode Linux, and qemu-storage-daemon."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import storage_daemon
from tests.peers.guest import results_in
from tests.peers.processes import Process
from tests.peers.situations.disk import IMAGE, READ, WRITE, DiskUse, contents, disk_use
from tests.peers.situations.situation import Situation
from tests.peers.uml import DISK, uml

# A kernel that just halts says no more to its devices.
_RELEASE = """
for device in /sys/bus/virtio/drivers/virtio_blk/virtio*; do
    echo ${device##*/} > /sys/bus/virtio/drivers/virtio_blk/unbind
done
"""


@dataclass(frozen=True)
class UmlDisk(Situation[Process, Process, DiskUse]):
    """A User-Mode Linux reads from, writes to and reads back a disk, and releases it."""

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Process]:
        image = folder / IMAGE
        image.write_bytes(contents())
        return storage_daemon(image, socket, folder, release=self.back)

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Process]:
        return uml(READ + WRITE + _RELEASE, folder, modules=("virtio_blk",), device=DISK, socket=socket)

    def act(self, folder: Path, front_end: Process, back_end: Process) -> DiskUse:
        front_end.finish()
        return disk_use(folder, results_in(front_end))
