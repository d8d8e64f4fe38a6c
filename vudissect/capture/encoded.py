"""Records as blocks of a capture, as `CaptureEncoder` makes them: what can be read there without decoding them."""

import json
from struct import Struct
from typing import Final

from vudissect.capture.packet import COUNT_AT, HEADER, MARKS_AT, SEQUENCE_AT, TAGS_SIZE
from vudissect.capture.record import Mark

# In a packet block: the time after type, length and interface, then the length of the data.
_TIME = Struct("<II")
_TIME_AT = 12
_CAPTURED = Struct("<I")
_CAPTURED_AT = 20
_DATA_AT = 28

HEADER_AT: Final = _DATA_AT + TAGS_SIZE
MESSAGE_AT: Final = HEADER_AT + HEADER.size
"""Where the message of a record without descriptors begins."""
SAME_AT: Final = slice(HEADER_AT, HEADER_AT + SEQUENCE_AT)
"""The part of the header that is the same for all messages of a sender on a channel, if they have the same marks."""

_COUNT = Struct("<H")
_DESCRIPTOR_LENGTH = Struct("<H")
_MARKS = Struct("<H")
_SEQUENCE = Struct("<Q")
_EARLIER = int(Mark.EARLIER)


def body(block: bytes) -> bytes:
    """What comes after the header of a record without descriptors: the message, or the details of an event."""
    (captured,) = _CAPTURED.unpack_from(block, _CAPTURED_AT)
    return block[MESSAGE_AT : _DATA_AT + captured]


def details(block: bytes) -> dict[str, str | int]:
    """The details of an event."""
    found: dict[str, str | int] = json.loads(body(block))
    return found


def message_at(block: bytes) -> int:
    """Where the message begins, after its descriptors."""
    at = MESSAGE_AT
    for _ in range(_COUNT.unpack_from(block, HEADER_AT + COUNT_AT)[0]):
        at += _DESCRIPTOR_LENGTH.unpack_from(block, at)[0]
    return at


def sequence(block: bytes) -> int:
    """The place of the record in its connection."""
    number: int = _SEQUENCE.unpack_from(block, HEADER_AT + SEQUENCE_AT)[0]
    return number


def repeated(block: bytes, time: int) -> bytes:
    """The record as one that is repeated at this time (ns since the epoch) in a later file."""
    changed = bytearray(block)
    _TIME.pack_into(changed, _TIME_AT, time >> 32, time & 0xFFFF_FFFF)
    (marks,) = _MARKS.unpack_from(block, HEADER_AT + MARKS_AT)
    _MARKS.pack_into(changed, HEADER_AT + MARKS_AT, marks | _EARLIER)
    return bytes(changed)
