"""Packets without a guest: DPDK's virtio_user and net_vhost."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from tests.peers.proxy import recorded
from tests.peers.situations.situation import BACK, Situation
from tests.peers.testpmd import Testpmd, net_vhost, virtio_user

_LEAST_PACKETS = 10_000  # that arrive before the sender is stopped


@dataclass(frozen=True)
class Packets:
    """Packets as counted by the sender and the receiver."""

    sent: int
    received: int


@dataclass(frozen=True)
class VirtioUserConnects(Situation[Testpmd, Testpmd, Packets]):
    """virtio_user sends packets, net_vhost receives them."""

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
        # In this order: virtio_user asks the back-end for its ring positions before it exits.
        front_end.quit()
        back_end.quit()
        return Packets(sent, received)


@dataclass(frozen=True)
class VirtioUserListens(VirtioUserConnects):
    """virtio_user listens and sends packets, net_vhost connects and receives them."""

    front_end_listens: ClassVar[bool] = True


@dataclass(frozen=True)
class VhostKilled(VirtioUserListens):
    """virtio_user listens and sends packets; meanwhile net_vhost is killed, started again, and reconnects.

    The received packets are those that the second net_vhost has counted.
    """

    def record(self, folder: Path, capture: Path, options: Sequence[str] = ()) -> Packets:
        return self.run(folder, partial(recorded, capture, options=options))

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
            # So that it does not reconnect when the front-end has exited.
            again.kill()
        return Packets(sent, received)
