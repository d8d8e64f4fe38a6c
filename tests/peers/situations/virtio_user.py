"""Packets without a guest: DPDK's virtio_user and its net_vhost."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from tests.peers.proxy import recorded
from tests.peers.situations.situation import BACK, Situation
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

    queues: int = 1  # pairs
    packed: bool = False  # rings

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Testpmd]:
        return net_vhost(socket, folder, listen=not self.front_end_listens, queues=self.queues, release=self.back)

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Testpmd]:
        return virtio_user(
            socket, folder, listen=self.front_end_listens, queues=self.queues, packed=self.packed, release=self.front
        )

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


@dataclass(frozen=True)
class VhostKilled(VirtioUserListens):
    """virtio_user listens and sends; net_vhost is killed meanwhile, started again, and calls again.

    Received is what the second net_vhost has counted.
    """

    def record(self, folder: Path, capture: Path) -> Packets:
        return self.run(folder, partial(recorded, capture))

    def act(self, folder: Path, front_end: Testpmd, back_end: Testpmd) -> Packets:
        back_end.ready()
        front_end.ready()
        back_end.start()
        front_end.start()
        back_end.wait_received(_LEAST_PACKETS)
        back_end.kill()
        with self.back_end(folder, BACK) as again:
            again.ready()
            again.start()
            received = again.wait_received(_LEAST_PACKETS)
            front_end.stop()
            sent = front_end.sent()
            # So that it does not call again when the front-end has gone.
            again.kill()
        return Packets(sent, received)
