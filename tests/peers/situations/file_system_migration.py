"""A guest migrates from one QEMU to another with an open file on the host; each QEMU has its own virtiofsd.

The first virtiofsd passes its open files to the second one as the device state.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.guest import Guest
from tests.peers.processes import Process
from tests.peers.situations.disk import PIECES
from tests.peers.situations.file_system import FileSystem, Sharing, sharing
from tests.peers.situations.migration import MIGRATION, UNRECORDED, migrate


@dataclass(frozen=True)
class SharingMigrated(Sharing):
    """Files of a guest that migrated; the last piece that it wrote before and after."""

    last_piece_at_source: int
    last_piece_at_destination: int


@dataclass(frozen=True)
class _Migration(FileSystem):
    script: ClassVar[str] = f"""
mount -t virtiofs shared /mnt
echo RESULT digest_of_given=$(sha256sum < /mnt/from-host)
yes vudissect | head -c 1048576 > /data
exec 3> /mnt/from-guest
for piece in $(seq 0 {PIECES - 1}); do
    dd if=/data bs=16k count=1 skip=$piece >&3 2> /dev/null
    echo RESULT piece=$piece
    sleep 0.1
done
exec 3>&-
umount /mnt
"""

    def destination(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that waits for the guest."""
        return self.machine(folder, socket, options=("-incoming", f"unix:{MIGRATION}"), name="destination")

    def source(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that starts the guest."""
        return self.machine(folder, socket, name="source")


@dataclass(frozen=True)
class FileSystemMigrationSource(_Migration):
    """A guest migrates to another QEMU with an open file on the host; recorded at the source."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.source(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> SharingMigrated:
        with (
            self.daemon(folder, UNRECORDED, "virtiofsd-of-destination"),
            self.destination(folder, UNRECORDED) as destination,
        ):
            return _migrated(folder, front_end, destination)


@dataclass(frozen=True)
class FileSystemMigrationDestination(_Migration):
    """A guest migrates to another QEMU with an open file on the host; recorded at the destination."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.destination(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> SharingMigrated:
        with self.daemon(folder, UNRECORDED, "virtiofsd-of-source"), self.source(folder, UNRECORDED) as source:
            return _migrated(folder, source, front_end)


def _migrated(folder: Path, source: Guest, destination: Guest) -> SharingMigrated:
    before, after = migrate(source, destination)
    return SharingMigrated(
        **vars(sharing(folder, before | after)),
        last_piece_at_source=int(before["piece"]),
        last_piece_at_destination=int(after["piece"]),
    )
