"""Commands of a virtio GPU. Source: virtio specification, GPU Device, Device Operation: Request header."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

HEADER = Struct("<IIQII")
"""Kind, flags, fence, context, ring of the context with padding."""
HEADER_SIZE = HEADER.size
CREATE_2D = Struct("<IIII")
"""A resource, its format, width and height."""
BACKING = Struct("<IIQI4x")
"""A resource, how many pieces follow, and one of them: guest address and length."""
RESOURCE = Struct("<I4x")
SCANOUT = Struct("<IIIIII")
"""A rectangle, a scanout and the resource that is shown there."""
FLUSH = Struct("<IIIII4x")
"""A rectangle, and the resource whose pixels are shown."""
DISPLAYS_SIZE = 24 + 16 * 24
"""The response to a question for the displays: a header, and 16 displays."""
DISPLAY = Struct("<IIIIII")
"""Its rectangle, whether it is enabled, flags."""
GET_EDID = Struct("<I4x")
"""A scanout."""
EDID_SIZE = 1024
EDID = Struct(f"<I4x{EDID_SIZE}s")
"""How many bytes of it there are, and room for as many as there may be; after a header."""
FENCE = 1
BGRA = 1


class Command(IntEnum):
    """What is asked for."""

    GET_DISPLAY_INFO = 0x100
    RESOURCE_CREATE_2D = 0x101
    RESOURCE_UNREF = 0x102
    SET_SCANOUT = 0x103
    RESOURCE_FLUSH = 0x104
    TRANSFER_TO_HOST_2D = 0x105
    RESOURCE_ATTACH_BACKING = 0x106
    RESOURCE_DETACH_BACKING = 0x107
    GET_CAPSET_INFO = 0x108
    GET_CAPSET = 0x109
    GET_EDID = 0x10A
    RESOURCE_ASSIGN_UUID = 0x10B
    RESOURCE_CREATE_BLOB = 0x10C
    SET_SCANOUT_BLOB = 0x10D
    CTX_CREATE = 0x200
    CTX_DESTROY = 0x201
    CTX_ATTACH_RESOURCE = 0x202
    CTX_DETACH_RESOURCE = 0x203
    RESOURCE_CREATE_3D = 0x204
    TRANSFER_TO_HOST_3D = 0x205
    TRANSFER_FROM_HOST_3D = 0x206
    SUBMIT_3D = 0x207
    RESOURCE_MAP_BLOB = 0x208
    RESOURCE_UNMAP_BLOB = 0x209
    UPDATE_CURSOR = 0x300
    MOVE_CURSOR = 0x301


class Response(IntEnum):
    """What became of it."""

    OK = 0x1100
    OK_DISPLAYS = 0x1101
    OK_EDID = 0x1104
    OK_UUID = 0x1105
    UNSPECIFIED = 0x1200
    OUT_OF_MEMORY = 0x1201
    INVALID_SCANOUT = 0x1202
    INVALID_RESOURCE = 0x1203
    INVALID_CONTEXT = 0x1204
    INVALID_PARAMETER = 0x1205


ERRORS = frozenset(response for response in Response if response >= Response.UNSPECIFIED)


class Header(NamedTuple):
    """The header of a request and of its response; `kind` may be a number that does not exist."""

    kind: int
    flags: int = 0
    fence: int = 0

    def pack(self) -> bytes:
        """The bytes."""
        return HEADER.pack(self.kind, self.flags, self.fence, 0, 0)


def read_header(data: bytes) -> Header | None:
    """The header at the beginning of a request or response, None if it is cut short."""
    if len(data) < HEADER_SIZE:
        return None
    kind, flags, fence, *_ = HEADER.unpack_from(data)
    return Header(kind, flags, fence)
