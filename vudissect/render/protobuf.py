"""Encodes protocol buffers: enough of the wire format to write a message field by field.

Source: protobuf.dev/programming-guides/encoding.
"""

import struct

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_FIXED = struct.Struct("<Q")


def varint(number: int) -> bytes:
    """A number that is not negative, 7 bits per byte."""
    if number < 0x80:
        return bytes((number,))
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def uint(field: int, number: int) -> bytes:
    """A field with a number or an enumeration."""
    return varint(field << 3 | _VARINT) + varint(number)


def fixed64(field: int, number: int) -> bytes:
    """A field with a number of 8 bytes."""
    return varint(field << 3 | _FIXED64) + _FIXED.pack(number)


def message(field: int, *parts: bytes) -> bytes:
    """A field with a message that consists of these fields."""
    data = b"".join(parts)
    return varint(field << 3 | _BYTES) + varint(len(data)) + data


def string(field: int, text: str) -> bytes:
    """A field with a text."""
    return message(field, text.encode(errors="backslashreplace"))
