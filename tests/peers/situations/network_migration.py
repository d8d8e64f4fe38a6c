"""A guest moves from one QEMU to another while it sends packets; each QEMU has a net_vhost of its own."""

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
_ENOUGH = 50  # packets that have arrived before the guest moves


@dataclass(frozen=True)
class MovedFlood(Flood):
    """Packets of a guest that moved: how many of those received came before, and to the first back-end."""

    received_at_source: int


@dataclass(frozen=True)
class _Migration(Network):
    packets: int = 500

    pause: ClassVar[int] = 10_000_000
    # A guest that cannot announce itself at its new place: the back-end has to do that.
    properties: ClassVar[str] = ",guest_announce=off"

    def destination(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that waits for the guest to come."""
        return self.machine(folder, socket, options=("-incoming", "defer"), name="destination")

    def source(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        """A QEMU that starts the guest."""
        return self.machine(folder, socket, name="source")

    def migrate(self, source: Guest, destination: Guest, before: Testpmd, after: Testpmd) -> MovedFlood:
        """Let the guest move in the middle of its work, and wait until it has done the rest."""
        source.wait_for("starts")
        before.wait_received(_ENOUGH)
        with source.monitor() as leaves, destination.monitor() as arrives:
            if self.postcopy:
                for monitor in (leaves, arrives):
                    capability = {"capability": "postcopy-ram", "state": True}
                    monitor.execute("migrate-set-capabilities", capabilities=[capability])
            arrives.execute("migrate-incoming", uri=f"unix:{_PATH}")
            wait_for_listener(_PATH, destination.process)
            leaves.execute("migrate", uri=f"unix:{_PATH}")
            if self.postcopy:
                leaves.wait_for("query-migrate", "status", "active")
                leaves.execute("migrate-start-postcopy")
            if (status := leaves.wait_for("query-migrate", "status", "completed", "failed")) != "completed":
                raise PeerError(f"the migration has {status}")
            leaves.execute("quit")
        source.process.finish()
        found = destination.results()
        sent = int(found["sent"])
        at_source = before.received()
        received = at_source + after.wait_received(sent - at_source)
        for testpmd in (before, after):
            testpmd.stop()
            testpmd.quit()
        return MovedFlood(sent, received, int(found["microseconds"]) / 1e6, at_source)


@dataclass(frozen=True)
class SenderMovesAway(_Migration):
    """A guest moves to another QEMU while it sends packets. Recorded is the one that it leaves."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.source(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Testpmd) -> MovedFlood:
        with (
            self.daemon(folder, _UNRECORDED, "net-vhost-of-destination") as after,
            self.destination(folder, _UNRECORDED) as destination,
        ):
            return self.migrate(front_end, destination, back_end, after)


@dataclass(frozen=True)
class SenderArrives(_Migration):
    """A guest moves to another QEMU while it sends packets. Recorded is the one that it comes to."""

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.destination(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Testpmd) -> MovedFlood:
        with (
            self.daemon(folder, _UNRECORDED, "net-vhost-of-source") as before,
            self.source(folder, _UNRECORDED) as source,
        ):
            return self.migrate(source, front_end, before, back_end)


@dataclass(frozen=True)
class SenderBeforeItsMemory(SenderArrives):
    """A guest moves to another QEMU while it sends packets, and its memory comes after it (postcopy).

    Recorded is the one that it comes to.
    """

    postcopy: ClassVar[bool] = True
