"""Requests of a virtio disk. Source: virtio specification, Block Device, Device Operation."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

SECTOR = 512
ID_SIZE = 20

HEADER = Struct("<IIQ")
HEADER_SIZE = HEADER.size


class Kind(IntEnum):
    """What a request asks for."""

    IN = 0
    OUT = 1
    FLUSH = 4
    GET_ID = 8
    DISCARD = 11
    WRITE_ZEROES = 13


class Status(IntEnum):
    """How a request ended: its last byte."""

    OK = 0
    IOERR = 1
    UNSUPP = 2


class Header(NamedTuple):
    """The first bytes of a request; `kind` may be a number that no `Kind` has."""

    kind: int
    sector: int = 0

    def pack(self) -> bytes:
        """The bytes."""
        return HEADER.pack(self.kind, 0, self.sector)


def read_header(data: bytes) -> Header | None:
    """The header at the beginning of a request, None if it is cut short."""
    if len(data) < HEADER_SIZE:
        return None
    kind, _, sector = HEADER.unpack_from(data)
    return Header(kind, sector)
