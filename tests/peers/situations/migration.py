"""A guest migrates from one QEMU to another while it writes to its disk; each QEMU has its own back-end."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.daemons import storage_daemon
from tests.peers.guest import Guest
from tests.peers.processes import PeerError, Process, wait_for_listener
from tests.peers.situations.disk import IMAGE, Disk, DiskUse, contents, disk_use, in_pieces

MIGRATION = "migration.sock"
UNRECORDED = "unrecorded.sock"
_ENOUGH = "8"  # the piece that is written before the migration starts


@dataclass(frozen=True)
class Migrated(DiskUse):
    """The disk of a guest that migrated; the last piece that it wrote before and after."""

    last_piece_at_source: int
    last_piece_at_destination: int


@dataclass(frozen=True)
class _Migration(Disk):
    script: ClassVar[str] = in_pieces(pause=0.1)

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Process]:
        return self.daemon(folder, socket, "storage-daemon")

    def daemon(self, folder: Path, socket: str, name: str) -> AbstractContextManager[Process]:
        """A back-end for the image that both share."""
        image = folder / IMAGE
        if not image.exists():
            image.write_bytes(contents())
        return storage_daemon(image, socket, folder, shared=True, name=name, release=self.back)

    def destination(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that waits for the guest."""
        return self.machine(folder, socket, options=("-incoming", f"unix:{MIGRATION}"), name="destination")

    def source(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that starts the guest."""
        return self.machine(folder, socket, name="source")


@dataclass(frozen=True)
class MigrationSource(_Migration):
    """A guest migrates to another QEMU while it writes to its disk; recorded at the source."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.source(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Migrated:
        with (
            self.daemon(folder, UNRECORDED, "storage-daemon-of-destination"),
            self.destination(folder, UNRECORDED) as destination,
        ):
            return _migrate(folder, front_end, destination)


@dataclass(frozen=True)
class MigrationDestination(_Migration):
    """A guest migrates to another QEMU while it writes to its disk; recorded at the destination."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.destination(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Migrated:
        with (
            self.daemon(folder, UNRECORDED, "storage-daemon-of-source"),
            self.source(folder, UNRECORDED) as source,
        ):
            return _migrate(folder, source, front_end)


def _migrate(folder: Path, source: Guest, destination: Guest) -> Migrated:
    before, after = migrate(source, destination)
    use = disk_use(folder, before | after)
    return Migrated(
        **vars(use), last_piece_at_source=int(before["piece"]), last_piece_at_destination=int(after["piece"])
    )


def migrate(source: Guest, destination: Guest) -> tuple[dict[str, str], dict[str, str]]:
    """Migrate the guest while its script runs, and wait until it has finished; returns its results at each QEMU."""
    wait_for_listener(MIGRATION, destination.process)
    source.wait_for("piece", _ENOUGH)
    with source.monitor() as monitor:
        monitor.execute("migrate", uri=f"unix:{MIGRATION}")
        if (status := monitor.wait_for("query-migrate", "status", "completed", "failed")) != "completed":
            raise PeerError(f"the migration {status}")
        monitor.execute("quit")
    source.process.finish()
    return source.found(), destination.results()
