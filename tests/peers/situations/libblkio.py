"""A disk without a guest: libblkio, which is the disk driver of QEMU's tools, and qemu-storage-daemon."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemons import storage_daemon
from tests.peers.processes import Process, running
from tests.peers.situations.disk import IMAGE
from tests.peers.situations.situation import MIB, Situation

SIZE = 8 * MIB  # of the disk; the tool needs whole blocks
AT = 2 * MIB  # where the tool writes 1 MiB
WRITTEN = bytes([0x76]) * MIB

_BYTE = WRITTEN[0]


@dataclass(frozen=True)
class ToolUse:
    """A disk before and after a tool has written to it, and the tool's output."""

    before: bytes
    after: bytes
    output: str


@dataclass(frozen=True)
class Libblkio(Situation[Process, Process, ToolUse]):
    """A tool writes to a disk, reads back and compares. There is no guest: the tool itself is the driver."""

    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[Process]:
        image = folder / IMAGE
        image.write_bytes(_contents())
        return storage_daemon(image, socket, folder, release=self.back)

    @contextmanager
    def front_end(self, folder: Path, socket: str) -> Iterator[Process]:
        disk = f"driver=virtio-blk-vhost-user,path={socket},cache.direct=on"
        actions = (f"write -P {_BYTE} {AT} {MIB}", f"read -P {_BYTE} {AT} {MIB}", "flush")
        commands = [word for command in actions for word in ("-c", command)]
        command = [self.front.program("qemu-io", "qemu-utils"), "--image-opts", *commands, disk]
        with running("qemu-io", command, folder, within=self.front.within) as tool:
            yield tool

    def act(self, folder: Path, front_end: Process, back_end: Process) -> ToolUse:
        front_end.finish()
        return ToolUse(_contents(), (folder / IMAGE).read_bytes(), front_end.output())


def _contents() -> bytes:
    return random.Random(SIZE).randbytes(SIZE)
