"""What the headers of all channels have in common, and what all payloads have; layers are generated from these."""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any, ClassVar

from scapy.fields import FieldLenField, PacketListField
from scapy.packet import Packet, Raw

from vudissect.capture.keys import KEY_STARTS
from vudissect.protocol.model import Answer, Channel, Row
from vudissect.scapy.fields import UnshownField
from vudissect.scapy.record import RecordHeader
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION_MASK, ByteOrder, struct_of
from vudissect.wire.layout import LayoutCodec

# The flags are above the version, which is a separate field here.
REPLY_FLAG = REPLY >> VERSION_MASK.bit_length()
NEED_REPLY_FLAG = NEED_REPLY >> VERSION_MASK.bit_length()
_SIZE_OFFSET = 8
_HASH = Struct("<BI")
_MOST_ENTRIES = 8


@dataclass(frozen=True)
class Form:
    """One form of a message, as codec and as layer."""

    codec: LayoutCodec
    layer: type[Packet]


@dataclass(frozen=True)
class Lexicon:
    """What a header needs from the table: the rows of its channel, and their forms as requests and as replies."""

    channel: Channel
    byte_order: ByteOrder
    error: int
    rows: Mapping[int, Row]
    requests: Mapping[int, tuple[Form, ...]]
    replies: Mapping[int, tuple[Form, ...]]


class Header(Packet):
    """The header of every message of a channel: number, flags and size are computed from what follows."""

    match_subclass = True
    lexicon: ClassVar[Lexicon]

    @property
    def number(self) -> int:
        """The message's number, without the bit that marks a failure in some dialects."""
        return int(self.getfieldval("id")) & ~self.lexicon.error

    @property
    def row(self) -> Row | None:
        """The message's row in the table, or None for an unknown number."""
        return self.lexicon.rows.get(self.number)

    def is_reply(self) -> bool:
        """Whether this was sent by the side that answers the requests of the channel.

        The record decides; without one, the flags do.
        """
        record = self.underlayer
        if isinstance(record, RecordHeader):
            return bool(record.sender != self.lexicon.channel.initiator)
        return bool(int(self.getfieldval("flags")) & REPLY_FLAG)

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the size."""
        if self.getfieldval("size") is None:
            size = struct_of("I", self.lexicon.byte_order).pack(len(pay))
            pkt = pkt[:_SIZE_OFFSET] + size + pkt[HEADER_SIZE:]
        return pkt + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes | None]:
        """The payload, and the bytes after the message."""
        return s[: self.size], s[self.size :]

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """The form of the message with this size and these contents."""
        failed = self.lexicon.error and self.getfieldval("id") & self.lexicon.error
        forms = self.lexicon.replies if self.is_reply() and not failed else self.lexicon.requests
        for form in forms.get(self.number, ()):
            if form.codec.decode(payload, self.size) is not None:
                return form.layer
        if struct_of("I", self.lexicon.byte_order).pack(self.getfieldval("id")) in KEY_STARTS[self.lexicon.channel]:
            return UnshownPayload
        return self.default_payload_class(payload)

    def do_dissect_payload(self, s: bytes) -> None:
        """Dissect the payload; an empty one is also a layer."""
        super().do_dissect_payload(s)
        if not s and not self.size:
            layer = self.guess_payload_class(s)
            if issubclass(layer, Payload):
                self.add_payload(layer(_internal=1))

    def answers(self, other: Packet) -> int:
        """Whether this answers that request, judging by the two messages alone."""
        return int(
            isinstance(other, Header)
            and self.lexicon.channel is other.lexicon.channel
            and self.number == other.number
            and self.is_reply()
            and not other.is_reply()
            and other.may_be_answered()
        )

    def may_be_answered(self) -> bool:
        """Whether an answer to this request is required or possible."""
        row = self.row
        if row is None or (row.answer is Answer.ON_REQUEST):
            return bool(int(self.getfieldval("flags")) & NEED_REPLY_FLAG)
        return row.answer is not Answer.NEVER

    def hashret(self) -> bytes:
        """Channel and number."""
        return _HASH.pack(self.lexicon.channel, self.number)

    def mysummary(self) -> Any:
        """Name and flags."""
        words = [self.sprintf("%id%")]
        if self.is_reply():
            words.append("->")
        elif self.getfieldval("flags"):
            words.append(self.sprintf("%flags%"))
        return " ".join(words), [type(self.underlayer)] if self.underlayer else []

    @classmethod
    def tcp_reassemble(cls, data: bytes, metadata: dict[str, Any], session: dict[str, Any]) -> Packet | None:
        """The first message of a stream, or None until it is complete; for scapy's `StreamSocket`."""
        if len(data) < HEADER_SIZE:
            return None
        (size,) = struct_of("I", cls.lexicon.byte_order).unpack_from(data, _SIZE_OFFSET)
        return cls(data) if len(data) >= HEADER_SIZE + size else None


class UnshownPayload(Raw):
    """A payload of a message with key material that fits none of its forms; it is not shown."""

    name = "Raw"
    fields_desc = [UnshownField("load", b"")]  # noqa: RUF012

    def mysummary(self) -> Any:
        """Nothing of the contents."""
        return Packet.mysummary(self)


class Payload(Packet):
    """One form of a message, after its header. `unsaid` are the fields without meaning."""

    match_subclass = True
    unsaid: ClassVar[frozenset[str]] = frozenset()

    def mysummary(self) -> Any:
        """The fields in short."""
        words = _in_short(self, self.unsaid)
        if not isinstance(self.underlayer, Header):
            return f"{type(self).__name__} {words}".strip(), []
        return words, [type(self.underlayer)]


def _in_short(layer: Packet, unsaid: frozenset[str]) -> str:
    words = []
    for field in layer.fields_desc:
        value = layer.getfieldval(field.name)
        if isinstance(field, PacketListField):
            entries = [_in_short(entry, unsaid) for entry in value[:_MOST_ENTRIES]]
            words.append(f"{field.name}=[{', '.join(entries)}{', ...' if len(value) > _MOST_ENTRIES else ''}]")
        elif field.name not in unsaid and not isinstance(field, FieldLenField):
            words.append(f"{field.name}={field.i2repr(layer, value)}")
    return " ".join(words)
