"""pcapng blocks and options: their numbers and framing, but not the contents of packets.

Numbers are those of draft-ietf-opsawg-pcapng. Blocks are written in little-endian order and read in either.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
OLD_PACKET: Final = 2
SIMPLE_PACKET: Final = 3
NAME_RESOLUTION: Final = 4
ENHANCED_PACKET: Final = 6
JOURNAL: Final = 9
CUSTOM: Final = 0x00000BAD
CUSTOM_DO_NOT_COPY: Final = 0x40000BAD

BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
# The type of a section header reads the same in both byte orders; these are its bytes.
SECTION_MAGIC: Final = b"\x0a\x0d\x0d\x0a"

END_OF_OPTIONS: Final = 0
COMMENT: Final = 1
SECTION_OS: Final = 3
SECTION_APPLICATION: Final = 4
INTERFACE_NAME: Final = 2
INTERFACE_DESCRIPTION_TEXT: Final = 3
INTERFACE_RESOLUTION: Final = 9
INTERFACE_OFFSET: Final = 14

NAME_IPV4: Final = 1
NAME_END: Final = 0

# Exported PDU: tags in the data name the dissector.
LINK_TYPE_EXPORTED_PDU: Final = 252

# The longest captured length that Wireshark accepts.
MAX_PACKET: Final = 262144
# No block of a sane capture is longer; a greater length is damage, and nothing is allocated for it.
MAX_BLOCK: Final = 16 << 20
# Type, length, and the length again after the body.
BLOCK_OVERHEAD: Final = 12

PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""By length modulo 4: the bytes that round it up to 32 bits."""

_MAX_OPTION: Final = 0xFFFF
_OPTION = Struct("<HH")
_FRAME = Struct("<II")
_TRAILER = Struct("<I")


def block(block_type: int, body: bytes) -> bytes:
    """A whole block; the length of the body must be a multiple of 4."""
    total = len(body) + BLOCK_OVERHEAD
    return _FRAME.pack(block_type, total) + body + _TRAILER.pack(total)


def options(*pairs: tuple[int, bytes]) -> bytes:
    """The option list of a block, with its end mark; a value too long for an option is cut."""
    return b"".join(entry(code, value[:_MAX_OPTION]) for code, value in pairs) + entry(END_OF_OPTIONS, b"")


def entry(code: int, value: bytes) -> bytes:
    """An option or a name resolution record: code, length, padded value."""
    return _OPTION.pack(code, len(value)) + value + PADDING[len(value) & 3]


def names(addresses: Iterable[tuple[bytes, str]]) -> bytes:
    """The body of a name resolution block for IPv4 addresses (4 bytes each) and their names."""
    records = b"".join(entry(NAME_IPV4, address + name.encode() + b"\0") for address, name in addresses)
    return records + entry(NAME_END, b"")
