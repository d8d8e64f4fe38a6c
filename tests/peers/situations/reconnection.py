"""A guest keeps its disk while the other end of its connection is killed: QEMU reconnects and resumes the rings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.guest import Guest
from tests.peers.processes import Process
from tests.peers.proxy import recorded
from tests.peers.releases import Release
from tests.peers.situations.disk import Disk, DiskUse, in_pieces
from tests.peers.situations.situation import BACK, FRONT

_ENOUGH = "16"  # the piece that is written before anything is killed


@dataclass(frozen=True)
class _Persistent(Disk):
    """A guest whose QEMU reconnects when the connection is lost."""

    script: ClassVar[str] = in_pieces()

    @property
    def chardev(self) -> str:
        return ",reconnect=1" if self.front is Release.BOOKWORM else ",reconnect-ms=1000"


@dataclass(frozen=True)
class BackEndKilled(_Persistent):
    """While a guest writes to its disk, the back-end is killed and started again. QEMU reconnects by itself."""

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> DiskUse:
        front_end.wait_for("piece", _ENOUGH)
        back_end.kill()
        with self.back_end(folder, BACK) as again:
            return super().act(folder, front_end, again)


@dataclass(frozen=True)
class RelayKilled(_Persistent):
    """Between two writes of a guest, `vuproxy` is killed and started again. QEMU reconnects by itself.

    The capture is from the first `vuproxy`, or from the second one.
    """

    second: bool = False
    # QEMU goes on from the used index. A request that the back-end completes just then is taken by it again, and
    # qemu-storage-daemon closes the connection when its buffers are used for something else: "invalid address".
    script: ClassVar[str] = in_pieces(rest_after=_ENOUGH)

    def record(self, folder: Path, capture: Path, options: Sequence[str] = ()) -> DiskUse:
        rest = folder / "rest.pcapng"
        first, second = (rest, capture) if self.second else (capture, rest)
        with (
            self.back_end(folder, BACK) as back_end,
            recorded(first, front_end=f"listen:{FRONT}", back_end=f"connect:{BACK}", options=options) as proxy,
            self.front_end(folder, FRONT) as front_end,
        ):
            front_end.wait_for("piece", _ENOUGH)
            proxy.kill()
            with recorded(second, front_end=f"listen:{FRONT}", back_end=f"connect:{BACK}", options=options):
                return self.act(folder, front_end, back_end)
