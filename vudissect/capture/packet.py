"""A record as the data of a packet: Wireshark's exported-PDU tags, record header, descriptors, message or details.

docs/capture-format.md describes the layout. Knows nothing about pcapng, nor about what messages mean.
"""

import json
from collections.abc import Mapping
from itertools import product
from struct import Struct
from typing import Final

from vudissect.capture.blocks import MAX_PACKET, PADDING
from vudissect.capture.errors import CaptureError
from vudissect.capture.record import NO_DETAILS, Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Side

VERSION: Final = 1

HEADER: Final = Struct("<BBHBBHIHHQQQQ")
"""Version, kind, header length, channel, sender, marks, connection, descriptors, 0, sequence, received, forwarded,
message length."""
MARKS_AT: Final = 6
COUNT_AT: Final = 12
SEQUENCE_AT: Final = 16

DISSECTOR: Final = b"vhost_user"

_TAG = Struct(">HH")
_TAG_END = 0
_TAG_DISSECTOR = 12
_TAG_SOURCE = 20
_TAG_DESTINATION = 21

_DESCRIPTOR = Struct("<HBBHHQQiI")
_MAX_IDENTITY = 255
_MAX_NAME = 512
_MAX_DETAIL = 8192

_NETWORK = bytes((198, 51, 100))

ADDRESSES: Final = {
    (Channel.MAIN, Side.FRONT_END): (_NETWORK + b"\x01", "front-end"),
    (Channel.MAIN, Side.BACK_END): (_NETWORK + b"\x02", "back-end"),
    (Channel.BACKEND, Side.FRONT_END): (_NETWORK + b"\x03", "front-end.backend"),
    (Channel.BACKEND, Side.BACK_END): (_NETWORK + b"\x04", "back-end.backend"),
    (Channel.GPU, Side.FRONT_END): (_NETWORK + b"\x05", "front-end.gpu"),
    (Channel.GPU, Side.BACK_END): (_NETWORK + b"\x06", "back-end.gpu"),
}
"""IPv4 addresses for the two ends of each channel (documentation addresses, RFC 5737), and their names."""

PROXY_ADDRESS: Final = (_NETWORK + b"\x07", "vuproxy")
"""The address of the recorder, which is source and destination of events."""


def _tags(channel: Channel, sender: Side) -> bytes:
    if sender is Side.PROXY:
        source = destination = PROXY_ADDRESS[0]
    else:
        receiver = Side.BACK_END if sender is Side.FRONT_END else Side.FRONT_END
        source, destination = ADDRESSES[channel, sender][0], ADDRESSES[channel, receiver][0]
    tags = ((_TAG_DISSECTOR, DISSECTOR), (_TAG_SOURCE, source), (_TAG_DESTINATION, destination))
    parts = []
    for tag, value in tags:
        # Unlike in pcapng options, the length covers the padding.
        padded = value + PADDING[len(value) & 3]
        parts.append(_TAG.pack(tag, len(padded)) + padded)
    return b"".join(parts) + _TAG.pack(_TAG_END, 0)


TAGS: Final = {ends: _tags(*ends) for ends in product(Channel, Side)}
"""The tags before a record, by channel and sender; all have the same length."""

TAGS_SIZE: Final = len(TAGS[Channel.MAIN, Side.FRONT_END])

_SHAPE = Struct("<BBHBB")
PLAIN: Final = Struct(f"<{TAGS_SIZE + _SHAPE.size}sHIIQQQQ")
"""Tags and header of a message. The bytes that depend only on channel and sender are one field, its shape; then come
marks, connection, number of descriptors, sequence, received, forwarded, message length."""

PLAIN_SHAPES: Final = tuple(
    tuple(
        TAGS[channel, sender] + _SHAPE.pack(VERSION, RecordKind.MESSAGE, HEADER.size, channel, sender)
        for sender in Side
    )
    for channel in Channel
)
"""The shapes, by channel and sender."""

MAX_MESSAGE: Final = MAX_PACKET - TAGS_SIZE - HEADER.size
"""The most bytes of a message without descriptors that fit into a packet that Wireshark can read."""


LONGEST_MESSAGE: Final = 12 + 0xFFFF_FFFF
"""Bytes of the longest possible message: its header has 32 bits for the size of the payload."""


def pack(record: Record) -> tuple[bytes, int]:
    """The packet data of a record, and the length that they would have with the whole message."""
    table = b"".join(map(_pack_descriptor, record.descriptors))
    header = HEADER.pack(
        VERSION,
        record.kind,
        HEADER.size,
        record.channel,
        record.sender,
        record.marks,
        record.connection,
        len(record.descriptors),
        0,
        record.sequence,
        record.received,
        record.forwarded,
        record.length,
    )
    front = TAGS[record.channel, record.sender] + header + table
    if record.kind is RecordKind.MESSAGE:
        data = front + record.data[: MAX_PACKET - len(front)]
        return data, max(len(front) + record.length, len(data))
    details = {key: _clip(value) if isinstance(value, str) else value for key, value in record.details.items()}
    data = front + json.dumps(details, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")
    return data, len(data)


def _clip(text: str) -> str:
    return text if len(text) <= _MAX_DETAIL else text[: _MAX_DETAIL - 1] + "…"


def _pack_descriptor(descriptor: Descriptor) -> bytes:
    kind, identity, size, page_size, seals, flags, name = descriptor
    packed_identity = _encode(identity, _MAX_IDENTITY)
    packed_name = _encode(name, _MAX_NAME)
    length = _DESCRIPTOR.size + len(packed_identity) + len(packed_name)
    fixed = _DESCRIPTOR.pack(length, kind, len(packed_identity), len(packed_name), 0, size, page_size, seals, flags)
    return fixed + packed_identity + packed_name


def _encode(text: str, most: int) -> bytes:
    """UTF-8 of at most `most` bytes, cut between characters."""
    encoded = text.encode(errors="backslashreplace")
    return encoded if len(encoded) <= most else encoded[:most].decode(errors="ignore").encode()


def unpack(data: bytes, time: int, frame: int) -> Record | None:
    """The record in packet data; None if it is for another dissector, or of a kind that was added later.

    `CaptureError` for damage, a header that is cut short, or a version later than `VERSION`.
    """
    start = _record_offset(data)
    if start is None:
        return None
    if len(data) >= start + 1 and data[start] > VERSION:
        raise CaptureError(
            f"frame {frame} has record version {data[start]}, but this vudissect reads up to {VERSION}: update it"
        )
    if len(data) < start + HEADER.size:
        raise _damage(frame, "its record header is cut short")
    version, kind, header_length, channel, sender, marks, connection, count, _, *rest = HEADER.unpack_from(data, start)
    sequence, received, forwarded, length = rest
    if not version or header_length < HEADER.size:
        raise _damage(frame, "its record header is invalid")
    if channel not in _CHANNELS or sender not in _SIDES:
        raise _damage(frame, f"channel {channel} and sender {sender} do not exist")
    if kind not in _KINDS:
        return None
    event = kind != RecordKind.MESSAGE
    if not event and sender == Side.PROXY:
        raise _damage(frame, "its message has the recorder as sender")
    descriptors, end = _unpack_descriptors(data, start + header_length, count, frame)
    if not event and not len(data) - end <= length <= LONGEST_MESSAGE:
        raise _damage(frame, f"it has {len(data) - end} bytes of a message of {length} bytes")
    return Record(
        RecordKind(kind),
        connection,
        Channel(channel),
        Side(sender),
        sequence,
        received,
        forwarded,
        time,
        length,
        b"" if event else data[end:],
        Mark(marks),
        descriptors,
        _unpack_details(data[end:], frame) if event else NO_DETAILS,
        frame,
    )


_CHANNELS = frozenset(map(int, Channel))
_SIDES = frozenset(map(int, Side))
_KINDS = frozenset(map(int, RecordKind))


def _damage(frame: int, what: str) -> CaptureError:
    return CaptureError(f"frame {frame} is damaged or was cut by another tool: {what}")


def _record_offset(data: bytes) -> int | None:
    """Where the tags end; None if they name another dissector or are not tags."""
    offset = 0
    ours = False
    while offset + _TAG.size <= len(data):
        tag, length = _TAG.unpack_from(data, offset)
        offset += _TAG.size
        if tag == _TAG_END:
            return offset if ours else None
        if tag == _TAG_DISSECTOR:
            ours = data[offset : offset + length].rstrip(b"\0") == DISSECTOR
        offset += length
    return None


def _unpack_descriptors(data: bytes, offset: int, count: int, frame: int) -> tuple[tuple[Descriptor, ...], int]:
    """The descriptor table at `offset`, and where it ends."""
    descriptors = []
    for _ in range(count):
        if len(data) < offset + _DESCRIPTOR.size:
            raise _damage(frame, "its descriptors are cut short")
        fields = _DESCRIPTOR.unpack_from(data, offset)
        length, kind, identity_length, name_length, _, size, page_size, seals, flags = fields
        identity = offset + _DESCRIPTOR.size
        name = identity + identity_length
        if name + name_length > offset + length or len(data) < offset + length:
            raise _damage(frame, "its descriptors are cut short")
        descriptors.append(
            Descriptor(
                DescriptorKind(kind) if kind in _DESCRIPTOR_KINDS else DescriptorKind.UNKNOWN,
                data[identity:name].decode(errors="backslashreplace"),
                size,
                page_size,
                seals,
                flags,
                data[name : name + name_length].decode(errors="backslashreplace"),
            )
        )
        offset += length
    if len(data) < offset:
        raise _damage(frame, "its record header is cut short")
    return tuple(descriptors), offset


_DESCRIPTOR_KINDS = frozenset(map(int, DescriptorKind))


def _unpack_details(data: bytes, frame: int) -> Mapping[str, str | int]:
    try:
        details = json.loads(data)
    except (ValueError, RecursionError):
        raise _damage(frame, "the details of its event are not JSON") from None
    if not isinstance(details, dict) or not all(isinstance(value, str | int) for value in details.values()):
        raise _damage(frame, "the details of its event are not an object of strings and numbers")
    # JSON can have escapes that are not valid Unicode and could not be printed.
    return {_unicode(key): _unicode(value) if isinstance(value, str) else value for key, value in details.items()}


def _unicode(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
