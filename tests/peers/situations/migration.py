"""A guest moves from one QEMU to another while it writes to its disk; each QEMU has a back-end of its own."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.daemons import storage_daemon
from tests.peers.guest import Guest
from tests.peers.processes import PeerError, Process, wait_for_listener
from tests.peers.situations.disk import IMAGE, Disk, DiskUse, contents, disk_use, in_pieces

MIGRATION = "migration.sock"  # what the guest moves through
UNRECORDED = "unrecorded.sock"
_ENOUGH = "8"  # the piece that has been written before the guest moves


@dataclass(frozen=True)
class Moved(DiskUse):
    """A disk that was used by a guest that moved; the last piece that it wrote before and after."""

    last_piece_at_source: int
    last_piece_at_destination: int


@dataclass(frozen=True)
class _Migration(Disk):
    script: ClassVar[str] = in_pieces(pause=0.1)

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Process]:
        return self.daemon(folder, socket, "storage-daemon")

    def daemon(self, folder: Path, socket: str, name: str) -> AbstractContextManager[Process]:
        """A back-end for the image that both have."""
        image = folder / IMAGE
        if not image.exists():
            image.write_bytes(contents())
        return storage_daemon(image, socket, folder, shared=True, name=name, release=self.back)

    def destination(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that waits for the guest to come."""
        return self.machine(folder, socket, options=("-incoming", f"unix:{MIGRATION}"), name="destination")

    def source(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that starts the guest."""
        return self.machine(folder, socket, name="source")


@dataclass(frozen=True)
class MovesAway(_Migration):
    """A guest moves to another QEMU while it writes to its disk. Recorded is the one that it leaves."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.source(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Moved:
        with (
            self.daemon(folder, UNRECORDED, "storage-daemon-of-destination"),
            self.destination(folder, UNRECORDED) as destination,
        ):
            return _migrate(folder, front_end, destination)


@dataclass(frozen=True)
class Arrives(_Migration):
    """A guest moves to another QEMU while it writes to its disk. Recorded is the one that it comes to."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.destination(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Moved:
        with (
            self.daemon(folder, UNRECORDED, "storage-daemon-of-source"),
            self.source(folder, UNRECORDED) as source,
        ):
            return _migrate(folder, source, front_end)


def _migrate(folder: Path, source: Guest, destination: Guest) -> Moved:
    before, after = migrate(source, destination)
    use = disk_use(folder, before | after)
    return Moved(**vars(use), last_piece_at_source=int(before["piece"]), last_piece_at_destination=int(after["piece"]))


def migrate(source: Guest, destination: Guest) -> tuple[dict[str, str], dict[str, str]]:
    """Let the guest move in the middle of its work, and wait until it has done the rest; what it found out at each."""
    wait_for_listener(MIGRATION, destination.process)
    source.wait_for("piece", _ENOUGH)
    with source.monitor() as monitor:
        monitor.execute("migrate", uri=f"unix:{MIGRATION}")
        if (status := monitor.wait_for("query-migrate", "status", "completed", "failed")) != "completed":
            raise PeerError(f"the migration has {status}")
        monitor.execute("quit")
    source.process.finish()
    return source.found(), destination.results()
