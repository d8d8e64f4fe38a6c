"""Commands of a virtio GPU. Source: virtio specification, GPU Device, Device Operation: Request header."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

_HEADER = Struct("<IIQII")
HEADER_SIZE = _HEADER.size
CREATE_2D = Struct("<IIII")
"""A resource, its format, width and height."""
BACKING = Struct("<IIQI4x")
"""A resource, how many pieces follow, and one of them: guest address and length."""
RESOURCE = Struct("<I4x")
FENCE = 1
BGRA = 1


class Command(IntEnum):
    """What is asked for."""

    CREATE_2D = 0x101
    RELEASE = 0x102
    ATTACH_BACKING = 0x106


class Response(IntEnum):
    """What became of it."""

    OK = 0x1100
    UNSPECIFIED = 0x1200
    OUT_OF_MEMORY = 0x1201
    INVALID_SCANOUT = 0x1202
    INVALID_RESOURCE = 0x1203
    INVALID_CONTEXT = 0x1204
    INVALID_PARAMETER = 0x1205


ERRORS = frozenset(response for response in Response if response is not Response.OK)


class Header(NamedTuple):
    """The header of a request and of its response; `kind` may be a number that does not exist."""

    kind: int
    flags: int = 0
    fence: int = 0

    def pack(self) -> bytes:
        """The bytes."""
        return _HEADER.pack(self.kind, self.flags, self.fence, 0, 0)


def read_header(data: bytes) -> Header | None:
    """The header at the beginning of a request or response, None if it is cut short."""
    if len(data) < HEADER_SIZE:
        return None
    kind, flags, fence, *_ = _HEADER.unpack_from(data)
    return Header(kind, flags, fence)
