"""The header of every message, and how to detect its byte order."""

from struct import Struct
from typing import Literal

ByteOrder = Literal["little", "big"]

HEADER_SIZE = 12
NAMED_SIZE = 8
"""Number and flags: all that some logs have of a message."""

VERSION_MASK = 0x3
VERSION = 0x1
REPLY = 0x4
NEED_REPLY = 0x8

_PREFIXES = {"little": "<", "big": ">"}

_LITTLE = Struct("<III").unpack_from
_BIG = Struct(">III").unpack_from

# Above every known number, including those of vendors, and far below any small number read in the wrong order.
LARGEST_REQUEST = 1100
# Version 1, and version 2 of a draft.
USUAL_FLAGS = frozenset({0x1, 0x5, 0x9, 0xD, 0x2, 0x6})


def struct_of(codes: str, byte_order: ByteOrder) -> Struct:
    """A packed `Struct` with these codes in this byte order."""
    return Struct(_PREFIXES[byte_order] + codes)


def detect_byte_order(header: bytes) -> ByteOrder | None:
    """The byte order in which the first 12 bytes of a main channel make sense; None if neither or both do."""
    if len(header) < HEADER_SIZE:
        return None
    little, big = _plausible(*_LITTLE(header)), _plausible(*_BIG(header))
    if little == big:
        return None
    return "little" if little else "big"


def _plausible(request: int, flags: int, _size: int) -> bool:
    return request < LARGEST_REQUEST and flags in USUAL_FLAGS
