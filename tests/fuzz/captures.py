"""Parses a capture into the parts that mutations change, and packs it again with correct lengths.

This is an independent parser: the code under test must not make the tests.
"""

from dataclasses import dataclass, field
from struct import Struct, error

BLOCK = Struct("<II")
PACKET = Struct("<IIIII")
RECORD = Struct("<BBHBBHIHHQQQQ")
DESCRIPTOR = Struct("<HBBHHQQiI")
MESSAGE = Struct("<III")
TAG = Struct(">HH")

ENHANCED_PACKET = 6
# Positions in `RECORD`.
KIND, SENDER, CONNECTION, COUNT, LENGTH = 1, 4, 6, 7, 12
MESSAGE_KIND = 1


@dataclass
class Descriptor:
    fields: list[int]
    identity: bytes
    name: bytes

    def packed(self) -> bytes:
        fields = list(self.fields)
        fields[0], fields[2], fields[3] = DESCRIPTOR.size + len(self.identity) + len(self.name), *self.lengths
        return packed(DESCRIPTOR, fields) + self.identity + self.name

    @property
    def lengths(self) -> tuple[int, int]:
        return len(self.identity), len(self.name)


@dataclass
class Packet:
    """An enhanced packet; if `inconsistent`, length and number of descriptors in the record are kept as they are."""

    head: list[int]
    tags: bytes
    record: list[int]
    descriptors: list[Descriptor]
    body: bytes
    options: bytes
    inconsistent: bool = False

    @property
    def is_message(self) -> bool:
        return self.record[KIND] == MESSAGE_KIND

    def copy(self) -> "Packet":
        descriptors = [Descriptor(list(each.fields), each.identity, each.name) for each in self.descriptors]
        record, inconsistent = list(self.record), self.inconsistent
        return Packet(list(self.head), self.tags, record, descriptors, self.body, self.options, inconsistent)

    def packed(self) -> bytes:
        record = list(self.record)
        if not self.inconsistent:
            record[COUNT] = len(self.descriptors)
            record[LENGTH] = len(self.body) if self.is_message else 0
        data = self.tags + packed(RECORD, record) + b"".join(each.packed() for each in self.descriptors) + self.body
        head = list(self.head)
        head[3:] = len(data), max(head[4], len(data)) & 0xFFFFFFFF
        return block(ENHANCED_PACKET, packed(PACKET, head) + data + bytes(-len(data) % 4) + self.options)


@dataclass
class Other:
    """A block of another type."""

    type: int
    body: bytes

    def copy(self) -> "Other":
        return Other(self.type, self.body)

    def packed(self) -> bytes:
        return block(self.type, self.body + bytes(-len(self.body) % 4))


Item = Packet | Other


@dataclass
class Parts:
    """A capture: what comes before the first packet, and the rest."""

    preamble: list[Item] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    def packed(self) -> bytes:
        return b"".join(item.packed() for item in (*self.preamble, *self.items))


def packed(layout: Struct, fields: list[int]) -> bytes:
    """The fields, each cut to its size."""
    try:
        return layout.pack(*fields)
    except error:
        sizes = [Struct("<" + code).size for code in layout.format[1:]]
        sized = zip(fields, sizes, strict=True)
        return b"".join((value & (1 << 8 * size) - 1).to_bytes(size, "little") for value, size in sized)


def block(number: int, body: bytes) -> bytes:
    total = (len(body) + 12).to_bytes(4, "little")
    return number.to_bytes(4, "little") + total + body + total


def parts_of(data: bytes) -> Parts:
    """Parse a capture that vuproxy wrote."""
    parts = Parts()
    offset = 0
    while offset < len(data):
        number, total = BLOCK.unpack_from(data, offset)
        body = data[offset + 8 : offset + total - 4]
        if number == ENHANCED_PACKET:
            parts.items.append(_packet(body))
        else:
            (parts.items if parts.items else parts.preamble).append(Other(number, body))
        offset += total
    return parts


def _packet(body: bytes) -> Packet:
    head = list(PACKET.unpack_from(body))
    data = body[PACKET.size : PACKET.size + head[3]]
    start = 0
    tag = -1
    while tag:
        tag, length = TAG.unpack_from(data, start)
        start += TAG.size + length
    record = list(RECORD.unpack_from(data, start))
    offset = start + RECORD.size
    descriptors = []
    for _ in range(record[COUNT]):
        fields = list(DESCRIPTOR.unpack_from(data, offset))
        identity = offset + DESCRIPTOR.size
        name = identity + fields[2]
        descriptors.append(Descriptor(fields, data[identity:name], data[name : name + fields[3]]))
        offset += fields[0]
    options = body[PACKET.size + head[3] + -head[3] % 4 :]
    body = data[offset:]
    is_cut = record[KIND] == MESSAGE_KIND and record[LENGTH] != len(body)
    return Packet(head, data[:start], record, descriptors, body, options, inconsistent=is_cut)
