"""A guest migrates from one QEMU to another while it sends packets; each QEMU has its own net_vhost."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.guest import Guest
from tests.peers.processes import PeerError, wait_for_listener
from tests.peers.situations.network import Flood, Network
from tests.peers.testpmd import Testpmd

_PATH = "migration.sock"
_UNRECORDED = "unrecorded.sock"
_ENOUGH = 50  # packets that arrive before the migration starts


@dataclass(frozen=True)
class MigratedFlood(Flood):
    """Packets of a guest that migrated, and how many of them the first back-end received."""

    received_at_source: int


@dataclass(frozen=True)
class _Migration(Network):
    packets: int = 500

    pause: ClassVar[int] = 10_000_000
    # The guest cannot announce itself after the migration, so the back-end must do it.
    properties: ClassVar[str] = ",guest_announce=off"

    def destination(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that waits for the guest."""
        return self.machine(folder, socket, options=("-incoming", "defer"), name="destination")

    def source(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that starts the guest."""
        return self.machine(folder, socket, name="source")

    def migrate(self, source: Guest, destination: Guest, before: Testpmd, after: Testpmd) -> MigratedFlood:
        """Migrate the guest while its script runs, and wait until it has finished."""
        source.wait_for("starts")
        before.wait_received(_ENOUGH)
        with source.monitor() as outgoing, destination.monitor() as incoming:
            if self.postcopy:
                for monitor in (outgoing, incoming):
                    capability = {"capability": "postcopy-ram", "state": True}
                    monitor.execute("migrate-set-capabilities", capabilities=[capability])
            incoming.execute("migrate-incoming", uri=f"unix:{_PATH}")
            wait_for_listener(_PATH, destination.process)
            outgoing.execute("migrate", uri=f"unix:{_PATH}")
            if self.postcopy:
                outgoing.wait_for("query-migrate", "status", "active")
                outgoing.execute("migrate-start-postcopy")
            if (status := outgoing.wait_for("query-migrate", "status", "completed", "failed")) != "completed":
                raise PeerError(f"the migration {status}")
            outgoing.execute("quit")
        source.process.finish()
        found = destination.results()
        sent = int(found["sent"])
        at_source = before.received()
        received = at_source + after.wait_received(sent - at_source)
        for testpmd in (before, after):
            testpmd.stop()
            testpmd.quit()
        return MigratedFlood(sent, received, int(found["microseconds"]) / 1e6, at_source)


@dataclass(frozen=True)
class NetworkMigrationSource(_Migration):
    """A guest migrates to another QEMU while it sends packets; recorded at the source."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.source(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Testpmd) -> MigratedFlood:
        with (
            self.daemon(folder, _UNRECORDED, "net-vhost-of-destination") as after,
            self.destination(folder, _UNRECORDED) as destination,
        ):
            return self.migrate(front_end, destination, back_end, after)


@dataclass(frozen=True)
class NetworkMigrationDestination(_Migration):
    """A guest migrates to another QEMU while it sends packets; recorded at the destination."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.destination(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Testpmd) -> MigratedFlood:
        with (
            self.daemon(folder, _UNRECORDED, "net-vhost-of-source") as before,
            self.source(folder, _UNRECORDED) as source,
        ):
            return self.migrate(source, front_end, before, back_end)


@dataclass(frozen=True)
class PostcopyDestination(NetworkMigrationDestination):
    """A guest migrates to another QEMU with postcopy while it sends packets; recorded at the destination."""

    postcopy: ClassVar[bool] = True
