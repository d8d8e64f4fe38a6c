"""A disk that grows while it is in use: the back-end notifies the front-end on the back-end channel."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from tests.peers.daemons import storage_daemon
from tests.peers.guest import Guest
from tests.peers.processes import Process
from tests.peers.qmp import monitor
from tests.peers.situations.disk import IMAGE, READ, SECTOR, WRITE, Disk, DiskUse, contents, disk_use

GROWN = 23456  # sectors of the disk after it has grown

_MONITOR = "storage-daemon.qmp"
_OPTIONS = ("--chardev", f"socket,id=monitor,path={_MONITOR},server=on,wait=off", "--monitor", "chardev=monitor")


@dataclass(frozen=True)
class Growth(DiskUse):
    """A disk that has grown by zeros; `grown` is the number of sectors that the guest then found."""

    grown: int


@dataclass(frozen=True)
class Resized(Disk):
    """A guest reads from a disk, the back-end enlarges it, and the guest notices, writes and reads back."""

    script: ClassVar[str] = f"""{READ}
echo RESULT waits=yes
until [ $(cat /sys/block/vda/size) = {GROWN} ]; do sleep 0.1; done
echo RESULT grown=$(cat /sys/block/vda/size)
{WRITE}"""

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Process]:
        image = folder / IMAGE
        image.write_bytes(contents())
        return storage_daemon(image, socket, folder, options=_OPTIONS, release=self.back)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Growth:
        front_end.wait_for("waits")
        with monitor(_MONITOR, back_end.name, folder) as daemon:
            daemon.execute("block_resize", node_name="disk", size=GROWN * SECTOR)
        found = front_end.results()
        use = disk_use(folder, found)
        larger = replace(use, before=use.before.ljust(GROWN * SECTOR, b"\0"))
        return Growth(**vars(larger), grown=int(found["grown"]))
