"""The descriptors of a case: one for each name in its talk, made when it is first passed."""

import mmap
import os

from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.host.make import Made, make


class Objects:
    """Made by identity, and closed together."""

    def __init__(self) -> None:
        self._made: dict[str, Made] = {}
        self._maps: dict[str, mmap.mmap] = {}
        self._received: list[int] = []

    def give(self, described: Descriptor) -> int:
        """The descriptor that has this description."""
        made = self._made.get(described.identity)
        if made is None:
            # Only for the size and the kind: what cannot be made is replaced by something that can be passed.
            made = self._made[described.identity] = make(described)
        return made.fd

    def adopt(self, described: Descriptor, fd: int) -> None:
        """Let a descriptor that came be the one with this description."""
        self._made[described.identity] = Made(os.dup(fd))

    def take_other_end(self, described: Descriptor) -> int | None:
        """The end that stays here of a pipe or socket pair, once; the caller owns it."""
        made = self._made.get(described.identity)
        if made is None or made.other is None:
            return None
        self._made[described.identity] = made._replace(other=None)
        return made.other

    def other_end(self, described: Descriptor) -> int | None:
        """The end that stays here of a pipe or socket pair; it is not the caller's."""
        made = self._made.get(described.identity)
        return made.other if made is not None else None

    def end_to_read(self) -> int | None:
        """The end that stayed here of the pipe that was passed; the other is closed here, so that reading ends."""
        for identity, made in self._made.items():
            if made.other is not None and identity.startswith(DescriptorKind.PIPE.label):
                os.close(made.fd)
                self._made[identity] = Made(made.other)
                return made.other
        return None

    def end_to_write(self) -> int | None:
        """The end that stayed here of the pipe that was passed; the caller owns it."""
        for identity, made in self._made.items():
            if made.other is not None and identity.startswith(DescriptorKind.PIPE.label):
                self._made[identity] = Made(made.fd)
                return made.other
        return None

    def keep(self, fds: tuple[int, ...]) -> None:
        """What the back-end has sent."""
        self._received += fds

    @property
    def received(self) -> list[int]:
        """What the back-end has sent, oldest first."""
        return self._received

    def map(self, described: Descriptor) -> memoryview:
        """Memory that was passed, or will be."""
        contents = self._maps.get(described.identity)
        if contents is None:
            contents = self._maps[described.identity] = mmap.mmap(self.give(described), described.size)
        return memoryview(contents)

    def let_go(self, described: Descriptor) -> None:
        """Close our copy of a descriptor that was passed."""
        made = self._made.pop(described.identity, None)
        if made is not None:
            made.close()

    def close(self) -> None:
        """Close everything. Maps go with the last view of them."""
        for made in self._made.values():
            made.close()
        for fd in self._received:
            os.close(fd)
        self._made, self._maps, self._received = {}, {}, []


def is_socket(described: Descriptor) -> bool:
    """Whether it can be the socket of a channel."""
    return described.kind is DescriptorKind.SOCKET
