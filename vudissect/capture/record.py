"""One record of a capture: a message as it was on the wire with what the wire does not say, or an event.

The bytes of a record are laid out in docs/capture-format.md and packed by `codec`.
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from types import MappingProxyType
from typing import NamedTuple

from vudissect.host.descriptor import Descriptor
from vudissect.protocol.model import Channel, Side


class RecordKind(IntEnum):
    """What a record is about; the numbers stand in captures and never change."""

    MESSAGE = 1
    CONNECTION_OPENED = 2
    CONNECTION_CLOSED = 3
    CHANNEL_OPENED = 4
    CHANNEL_CLOSED = 5
    GAP = 6
    NOTE = 7


class Mark(IntFlag):
    """What happened to a message on its way; the numbers stand in captures and never change."""

    DESCRIPTORS_LOST = 0x01  # the kernel dropped descriptors (MSG_CTRUNC)
    CUT_SHORT = 0x02  # the peer closed before the message was complete
    NOT_FORWARDED = 0x04  # the receiver was gone
    SPLIT = 0x08  # not all of it was there at once
    GLUED = 0x10  # was there together with the message before it
    BIG_ENDIAN = 0x20  # the bytes of the message are big-endian
    LATE_DESCRIPTORS = 0x40  # descriptors came, but not with the first byte of the header
    KEYS_MASKED = 0x80  # key material was in the message; zeros are in its place


NO_DETAILS: Mapping[str, str | int] = MappingProxyType({})


class Record(NamedTuple):
    """One record. Times are in nanoseconds.

    `received` and `forwarded` are on the monotonic clock of the recording machine, `time` is `received` as time
    since the epoch. `length` is the number of bytes that the message had on the wire, header included; `data`
    may be shorter (snap length). `details` holds the facts of an event (strings and numbers), and is empty for
    messages. `frame` numbers the records of a file from 1, as Wireshark does.
    """

    kind: RecordKind
    connection: int
    channel: Channel
    sender: Side
    sequence: int
    received: int
    forwarded: int
    time: int
    length: int
    data: bytes
    marks: Mark = Mark(0)
    descriptors: tuple[Descriptor, ...] = ()
    details: Mapping[str, str | int] = NO_DETAILS
    frame: int = 0
