"""What comes before a message in a capture: exported-PDU tags, record header, descriptors.

The layout is that of docs/capture-format.md. Also the details of an event, which take the place of a message.
"""

from collections.abc import Mapping
from struct import Struct
from typing import Any, ClassVar

from scapy.base_classes import BasePacket
from scapy.fields import (
    ByteEnumField,
    ByteField,
    FieldLenField,
    FlagsField,
    LEIntField,
    LELongField,
    LEShortField,
    LESignedIntField,
    PacketListField,
    ShortEnumField,
    StrField,
    StrLenField,
    XLEIntField,
    XStrLenField,
)
from scapy.packet import Packet

from vudissect.capture.packet import DISSECTOR, HEADER, TAGS, VERSION
from vudissect.capture.record import Mark, RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.wire.header import ByteOrder

_TAG_END = 0
_TAG_DISSECTOR = 12
_TAGS_OF_ADDRESSES = {20: "IPv4 source", 21: "IPv4 destination"}
_TAG_NAMES = {_TAG_END: "end", _TAG_DISSECTOR: "dissector", **_TAGS_OF_ADDRESSES}
_LENGTH = Struct("<Q")
_SHORT = Struct("<H")
_FIXED_DESCRIPTOR = 32
_MOST_DESCRIPTORS = 1 << 16
_LETTERS = {Side.FRONT_END: "F>B", Side.BACK_END: "B>F", Side.PROXY: "---"}


class Part(Packet):
    """A layer that is an entry of a list: what follows belongs to the next one."""

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes | None]:
        """Everything after this entry."""
        return b"", s


class _TagValue(StrLenField):
    def i2repr(self, pkt: Packet | None, x: Any) -> str:
        """An address with dots, anything else as it is."""
        if pkt is not None and pkt.getfieldval("type") in _TAGS_OF_ADDRESSES:
            return ".".join(map(str, x))
        return repr(x)


class ExportedPduTag(Part):
    """One tag of link type 252: what dissects the packet, or an address."""

    fields_desc = [  # noqa: RUF012
        ShortEnumField("type", _TAG_END, _TAG_NAMES),
        FieldLenField("length", None, length_of="value", fmt=">H"),
        _TagValue("value", b"", length_from=lambda tag: tag.length),
    ]


def _next_tag(_: Packet, tags: list[BasePacket], last: Packet | None, rest: bytes) -> type[Packet] | None:
    ended = last is not None and not (isinstance(last, ExportedPduTag) and last.type != _TAG_END)
    return None if ended else ExportedPduTag


class ExportedPduTags(Packet):
    """The tags before a packet of link type 252; by default those of a record."""

    show_summary = False
    fields_desc = [PacketListField("tags", [], next_cls_cb=_next_tag)]  # noqa: RUF012
    record: ClassVar[type[Packet]]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Add the tags that a record has."""
        record = self.payload
        if not pkt and isinstance(record, RecordHeader):
            pkt = TAGS[_known(Channel, record.channel), _known(Side, record.sender)]
        return pkt + pay

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """A record, according to the tags."""
        for tag in self.tags:
            if isinstance(tag, ExportedPduTag) and tag.type == _TAG_DISSECTOR and tag.value.rstrip(b"\0") == DISSECTOR:
                return self.record
        return self.default_payload_class(payload)

    def mysummary(self) -> str:
        """Empty, unless this is the only layer."""
        return type(self).__name__

    def answers(self, other: Packet) -> int:
        """Whether the message answers that of another packet."""
        return int(self.payload.answers(other.payload)) if isinstance(other, ExportedPduTags) else 0

    def hashret(self) -> bytes:
        """The same for a message and its answer."""
        return bytes(self.payload.hashret())


def _known(kind: Any, number: int) -> Any:
    """The member of an enumeration with this number, otherwise the first."""
    return kind(number) if number in tuple(kind) else kind(0)


class VhostUserDescriptor(Part):
    """A file descriptor that came with a message, as the recorder has described it."""

    fields_desc = [  # noqa: RUF012
        LEShortField("length", None),
        ByteEnumField("kind", DescriptorKind.UNKNOWN, {kind.value: kind.label for kind in DescriptorKind}),
        FieldLenField("identity_length", None, length_of="identity", fmt="B"),
        FieldLenField("name_length", None, length_of="file", fmt="<H"),
        LEShortField("reserved", 0),
        LELongField("size", 0),
        LELongField("page_size", 0),
        LESignedIntField("seals", -1),
        XLEIntField("flags", 0),
        StrLenField("identity", b"", length_from=lambda descriptor: descriptor.identity_length),
        StrLenField("file", b"", length_from=lambda descriptor: descriptor.name_length),
        XStrLenField("later", b"", length_from=lambda descriptor: descriptor.rest()),
    ]

    def rest(self) -> int:
        """Bytes after the name, which a later version may have written."""
        return max(0, int(self.length) - _FIXED_DESCRIPTOR - int(self.identity_length) - int(self.name_length))

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the length."""
        if self.length is None:
            pkt = _SHORT.pack(len(pkt)) + pkt[_SHORT.size :]
        return pkt + pay


class RecordHeader(Packet):
    """The record header and the descriptors, before a message or the details of an event.

    `headers` are the layers of a dialect's messages, by channel and byte order.
    """

    match_subclass = True
    headers: ClassVar[Mapping[tuple[Channel, ByteOrder], type[Packet]]] = {}
    fields_desc = [  # noqa: RUF012
        ByteField("version", VERSION),
        ByteEnumField(
            "kind", RecordKind.MESSAGE, {kind.value: kind.name.lower().replace("_", " ") for kind in RecordKind}
        ),
        LEShortField("header_length", None),
        ByteEnumField("channel", Channel.MAIN, {channel.value: channel.label for channel in Channel}),
        ByteEnumField("sender", Side.FRONT_END, {side.value: side.label for side in Side}),
        FlagsField("marks", 0, -16, {mark.value: mark.name.lower() for mark in Mark if mark.name}),
        LEIntField("connection", 1),
        FieldLenField("ndescriptors", None, count_of="descriptors", fmt="<H"),
        LEShortField("reserved", 0),
        LELongField("sequence", 0),
        LELongField("received", 0),
        LELongField("forwarded", 0),
        LELongField("length", None),
        XStrLenField("later", b"", length_from=lambda record: max(0, record.header_length - HEADER.size)),
        PacketListField(
            "descriptors",
            [],
            VhostUserDescriptor,
            count_from=lambda record: record.ndescriptors,
            max_count=_MOST_DESCRIPTORS,
        ),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the length of the header and of the message."""
        if self.header_length is None:
            pkt = pkt[:2] + _SHORT.pack(HEADER.size + len(self.later)) + pkt[4:]
        if self.length is None:
            length = len(pay) if self.kind == RecordKind.MESSAGE else 0
            pkt = pkt[: HEADER.size - _LENGTH.size] + _LENGTH.pack(length) + pkt[HEADER.size :]
        return pkt + pay

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """The header of the channel's messages in their byte order, or an event."""
        if self.kind != RecordKind.MESSAGE:
            return VhostUserEvent
        if self.channel not in tuple(Channel):
            return self.default_payload_class(payload)
        return self.headers[Channel(self.channel), "big" if self.marks & Mark.BIG_ENDIAN else "little"]

    def answers(self, other: Packet) -> int:
        """Whether the message answers that of another record: on the same channel, and sent later by the other side."""
        return int(
            isinstance(other, RecordHeader)
            and (self.connection, self.channel) == (other.connection, other.channel)
            and self.sender != other.sender
            and self.sequence > other.sequence
            and self.payload.answers(other.payload)
        )

    def hashret(self) -> bytes:
        """Connection, channel, and the hash of the message."""
        return b"%d %d " % (self.connection, self.channel) + self.payload.hashret()

    def mysummary(self) -> str:
        """The sender, the channel and the descriptors."""
        if self.kind != RecordKind.MESSAGE:
            return f"{self.connection} {self.sprintf('%kind%')}"
        words = [f"{self.connection} {_LETTERS[_known(Side, self.sender)]}"]
        if self.channel != Channel.MAIN:
            words.append(self.sprintf("%channel%"))
        words += [f"+{descriptor.sprintf('%kind%')}" for descriptor in self.descriptors]
        return " ".join(words)


class VhostUserEvent(Packet):
    """The recorder's details of an event: a JSON object."""

    fields_desc = [StrField("details", b"{}")]  # noqa: RUF012

    def mysummary(self) -> Any:
        """The details as they are, after scapy's summary of the lower layers."""
        return self.details.decode(errors="backslashreplace"), [type(self.underlayer)] if self.underlayer else []
