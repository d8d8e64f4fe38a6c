"""A guest's network: QEMU's vhost-user-net and Open vSwitch."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.guest import Guest
from tests.peers.openvswitch import Switch, switch
from tests.peers.situations.network import Flood, Network, QemuListens
from tests.peers.situations.situation import Situation


@dataclass(frozen=True)
class SwitchListens(Situation[Guest, Switch, Flood]):
    """A guest floods the network with broadcasts. Open vSwitch listens (dpdkvhostuser)."""

    guest: ClassVar[Network] = Network()

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Switch]:
        return switch(socket, folder, listen=not self.front_end_listens)

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        return self.guest.front_end(folder, socket)

    def act(self, folder: Path, front_end: Guest, back_end: Switch) -> Flood:
        found = front_end.results()
        sent = int(found["sent"])
        return Flood(sent, back_end.wait_received(sent), int(found["microseconds"]) / 1e6)


@dataclass(frozen=True)
class SwitchConnects(SwitchListens):
    """A guest floods the network with broadcasts. QEMU listens, and Open vSwitch connects (dpdkvhostuserclient)."""

    guest: ClassVar[Network] = QemuListens()
    front_end_listens: ClassVar[bool] = True
