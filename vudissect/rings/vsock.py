"""Packets of a virtio socket device. Source: virtio specification, Socket Device, Device Operation."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

HEADER = Struct("<QQIIIHHIII")
HEADER_SIZE = HEADER.size
HOST, GUEST = 2, 3
STREAM = 1


class Operation(IntEnum):
    """What a packet does."""

    REQUEST = 1
    RESPONSE = 2
    RST = 3
    SHUTDOWN = 4
    RW = 5
    CREDIT_UPDATE = 6
    CREDIT_REQUEST = 7


class Header(NamedTuple):
    """The header of a packet; `operation` and `kind` may be numbers that do not exist."""

    operation: int
    source_port: int
    target_port: int
    source: int = GUEST
    target: int = HOST
    kind: int = STREAM
    length: int = 0

    def pack(self) -> bytes:
        """The bytes, with a window of 64 KiB."""
        return HEADER.pack(
            *(self.source, self.target, self.source_port, self.target_port, self.length),
            *(self.kind, self.operation, 0, 1 << 16, 0),
        )

    def answered_with(self, operation: Operation) -> "Header":
        """A packet without data from where this one went to."""
        return Header(operation, self.target_port, self.source_port, self.target, self.source, self.kind)


def read_header(data: bytes) -> Header | None:
    """The header at the beginning of a packet, None if it is cut short."""
    if len(data) < HEADER_SIZE:
        return None
    source, target, source_port, target_port, length, kind, operation, *_ = HEADER.unpack_from(data)
    return Header(operation, source_port, target_port, source, target, kind, length)
