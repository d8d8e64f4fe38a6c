"""Fields of the table as scapy fields."""

from collections.abc import Callable
from math import prod
from typing import Any

from scapy.fields import (
    BitField,
    ByteField,
    EnumField,
    FieldLenField,
    FlagsField,
    IntField,
    LEIntField,
    LELongField,
    LEShortField,
    LESignedIntField,
    LESignedLongField,
    LongField,
    MACField,
    PacketListField,
    ShortField,
    SignedIntField,
    SignedLongField,
    StrField,
    StrFixedLenField,
    StrLenField,
    UUIDField,
    XByteField,
    XIntField,
    XLEIntField,
    XLELongField,
    XLEShortField,
    XLongField,
    XShortField,
)
from scapy.packet import Packet

from vudissect.capture.record import Mark
from vudissect.protocol.bits import BitSet
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Array, Layout, Meaning, Tail
from vudissect.protocol.model import Field as Row
from vudissect.scapy.record import RecordHeader
from vudissect.wire.fields import bytes_text
from vudissect.wire.header import ByteOrder, struct_of

# Scapy has no type for everything that a layer's list of fields may contain.
AnyField = Any
LayerOf = Callable[[Layout], type[Packet]]

# By `struct` code: little-endian, big-endian; then the same for values that are best shown in hexadecimal.
_NUMBERS: dict[str, tuple[type[AnyField], ...]] = {
    "B": (ByteField, ByteField, XByteField, XByteField),
    "H": (LEShortField, ShortField, XLEShortField, XShortField),
    "I": (LEIntField, IntField, XLEIntField, XIntField),
    "Q": (LELongField, LongField, XLELongField, XLongField),
    "i": (LESignedIntField, SignedIntField, LESignedIntField, SignedIntField),
    "q": (LESignedLongField, SignedLongField, LESignedLongField, SignedLongField),
}
_HEXADECIMAL = frozenset(
    {
        Meaning.USER_ADDRESS,
        Meaning.GUEST_ADDRESS,
        Meaning.RING_ADDRESS,
        Meaning.IOVA,
        Meaning.OFFSET,
        Meaning.HEX,
        Meaning.POINTER,
    }
)
_RESULTS = {0: "success"}
_MOST_SHOWN = 32
# Far more than any message can hold; scapy's own limit is below the size of some messages.
_MOST_ENTRIES = 1 << 20


class BytesField(StrFixedLenField):
    """A run of bytes of a fixed length, shown according to its meaning and never in full length."""

    __slots__ = ("meaning",)

    def __init__(self, name: str, size: int, meaning: Meaning) -> None:
        self.meaning = meaning
        super().__init__(name, b"", length=size)

    def i2repr(self, pkt: Packet | None, x: Any) -> str:
        """The bytes as text."""
        return _bytes_text(self.meaning, x, keys_stored=_keys_stored(pkt))


class TailField(StrLenField):
    """The bytes after the fixed fields, shown in the same way; `length` returns their number."""

    __slots__ = ("meaning",)

    def __init__(self, name: str, length: Callable[[Packet], int] | None, meaning: Meaning) -> None:
        self.meaning = meaning
        super().__init__(name, b"", length_from=length or (lambda _: _MOST_ENTRIES))

    def i2repr(self, pkt: Packet | None, x: Any) -> str:
        """The bytes as text."""
        return _bytes_text(self.meaning, x)


class EntriesField(PacketListField):
    """The entries of an array; if their number is fixed, missing ones are blank."""

    __slots__ = ("entry", "fixed")

    def __init__(self, array: Array, entry: type[Packet]) -> None:
        count = array.count
        self.entry = entry
        self.fixed = count if isinstance(count, int) else 0
        count_from: Callable[[Packet], int] | None = None
        if isinstance(count, int):
            count_from = lambda _: count  # noqa: E731
        elif count is not None:
            count_from = lambda packet: packet.getfieldval(count) or 0  # noqa: E731
        super().__init__(array.name, [], entry, count_from=count_from, max_count=_MOST_ENTRIES)

    def addfield(self, pkt: Packet, s: bytes, val: Any) -> bytes:
        """`s` followed by the bytes of all entries."""
        blank = [self.entry() for _ in range(self.fixed - len(val))]
        return super().addfield(pkt, s, [*val, *blank])


class UnshownField(StrField):
    """Bytes that may contain key material."""

    def i2repr(self, pkt: Packet | None, x: Any) -> str:
        """The number of bytes."""
        return f"({len(x)} bytes with key material, not {'shown' if _keys_stored(pkt) else 'stored'})"


def _keys_stored(packet: Packet | None) -> bool:
    """Whether a message still contains its keys; the record has a mark if it does not."""
    while packet is not None and not isinstance(packet, RecordHeader):
        packet = packet.underlayer
    return packet is None or not packet.marks & Mark.KEYS_MASKED


def _bytes_text(meaning: Meaning, value: Any, *, keys_stored: bool = True) -> str:
    value = bytes(value)
    if len(value) > _MOST_SHOWN and meaning is not Meaning.SECRET:
        return f"{value[:_MOST_SHOWN].hex()}... ({len(value)} bytes)"
    text = bytes_text(meaning, value, keys_stored=keys_stored)
    return repr(text) if meaning is Meaning.TEXT else text


def fields_of(layout: Layout, byte_order: ByteOrder, layer_of: LayerOf) -> list[AnyField]:
    """The fields of a layout; `layer_of` returns the layer of an array's entries.

    Missing counts and lengths are computed. A name that scapy's packets use themselves gets an
    underscore.
    """
    counted = _counted(layout)
    fields: list[AnyField] = []
    for row in layout.fields:
        if row.name in counted:
            fields.append(FieldLenField(field_name(row.name), None, fmt=_format(row, byte_order), **counted[row.name]))
        elif row.parts:
            fields += _parts(row, byte_order)
        else:
            fields.append(_field(row, byte_order))
    if layout.array is not None:
        fields.append(EntriesField(layout.array, layer_of(layout.array.entry)))
    elif layout.tail is not None:
        tail = layout.tail.field
        fields.append(TailField(field_name(tail.name), _length(layout.tail), tail.meaning))
    return fields


def field_name(name: str) -> str:
    """The scapy name of a field of the table."""
    return f"{name}_" if hasattr(Packet, name) else name


def flag_names(bits: BitSet, size: int) -> list[str]:
    """A name for each bit of a word of `size` bytes, lowest first."""
    return [bits.by_number[bit].name if bit in bits.by_number else f"bit {bit}" for bit in range(size * 8)]


def _counted(layout: Layout) -> dict[str, dict[str, Any]]:
    """The fields that count something that follows, and what."""
    if layout.array is not None and isinstance(layout.array.count, str):
        return {layout.array.count: {"count_of": layout.array.name}}
    if layout.tail is not None and len(layout.tail.length) == 1 and isinstance(layout.tail.length[0], str):
        return {layout.tail.length[0]: {"length_of": field_name(layout.tail.field.name)}}
    return {}


def _length(tail: Tail) -> Callable[[Packet], int] | None:
    factors = tail.length
    if not factors:
        return None
    return lambda packet: prod(
        factor if isinstance(factor, int) else int(packet.getfieldval(field_name(factor)) or 0) for factor in factors
    )


def _format(row: Row, byte_order: ByteOrder) -> str:
    return struct_of(row.code, byte_order).format


def _field(row: Row, byte_order: ByteOrder) -> AnyField:
    name, size = field_name(row.name), row.size
    if row.meaning is Meaning.MAC:
        return MACField(name, "00:00:00:00:00:00")
    if row.meaning is Meaning.UUID:
        return UUIDField(name, 0, uuid_fmt=UUIDField.FORMAT_BE)
    if row.code.endswith("s"):
        return BytesField(name, size, row.meaning)
    bits = VIRTIO_FEATURES if row.meaning is Meaning.VIRTIO_FEATURES else row.bits
    if bits is not None:
        return FlagsField(name, 0, -size * 8 if byte_order == "little" else size * 8, flag_names(bits, size))
    choices = _RESULTS if row.meaning is Meaning.STATUS_CODE else row.choices
    if choices:
        return EnumField(name, 0, dict(choices), fmt=_format(row, byte_order))
    return _NUMBERS[row.code][(byte_order == "big") + 2 * (row.meaning in _HEXADECIMAL)](name, 0)


def _parts(row: Row, byte_order: ByteOrder) -> list[AnyField]:
    """The bit fields of an integer, highest first, as scapy expects them."""
    whole = -row.size if byte_order == "little" else row.size
    parts = sorted(row.parts, key=lambda part: -part.low)
    return [
        BitField(
            field_name(part.name),
            0,
            part.width,
            tot_size=whole if part is parts[0] else 1,
            end_tot_size=whole if part is parts[-1] else 1,
        )
        for part in parts
    ]
