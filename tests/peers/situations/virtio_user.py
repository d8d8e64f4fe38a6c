"""Packets without a guest: DPDK's virtio_user and its net_vhost."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.situations.situation import Situation
from tests.peers.testpmd import Testpmd, net_vhost, virtio_user

_LEAST_PACKETS = 10_000  # before a sender without limit is stopped


@dataclass(frozen=True)
class Packets:
    """Packets as the sender and the receiver count them."""

    sent: int
    received: int


@dataclass(frozen=True)
class VirtioUserCalls(Situation[Testpmd, Testpmd, Packets]):
    """What virtio_user sends, net_vhost receives."""

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Testpmd]:
        return net_vhost(socket, folder, listen=not self.front_end_listens, release=self.back)

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Testpmd]:
        return virtio_user(socket, folder, listen=self.front_end_listens, release=self.front)

    def act(self, folder: Path, front_end: Testpmd, back_end: Testpmd) -> Packets:
        back_end.ready()
        front_end.ready()
        back_end.start()
        front_end.start()
        back_end.wait_received(_LEAST_PACKETS)
        front_end.stop()
        sent = front_end.sent()
        received = back_end.wait_received(sent)
        # In this order: virtio_user asks the back-end for its ring positions before it goes.
        front_end.quit()
        back_end.quit()
        return Packets(sent, received)


@dataclass(frozen=True)
class VirtioUserListens(VirtioUserCalls):
    """The same with the roles of the sockets exchanged: virtio_user listens, net_vhost calls."""

    front_end_listens: ClassVar[bool] = True
