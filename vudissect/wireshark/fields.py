"""The fields in Wireshark: those that a capture adds to a message, and the catalogue of all payload fields."""

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from vudissect.capture.record import Mark, RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.devices import DEVICES
from vudissect.protocol.model import Channel, Field, Layout, Meaning, Side
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import Protocol
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION_MASK
from vudissect.wireshark.names import field_name, joined, short, slug, subject


class Kind(StrEnum):
    """A Wireshark type; the value is the function of `ProtoField` that makes it."""

    U32 = "uint32"
    U64 = "uint64"
    I32 = "int32"
    I64 = "int64"
    BOOL = "bool"
    BYTES = "bytes"
    TEXT = "string"
    MAC = "ether"
    UUID = "guid"
    NONE = "none"
    FRAME = "framenum"
    TIME = "relative_time"


class ProtoField(NamedTuple):
    """A field as Wireshark registers it.

    `choices` are values with their names. A flag has the `mask` of its bit in a word of `width` bits.
    """

    name: str
    title: str
    kind: Kind
    base: str = "DEC"
    choices: tuple[tuple[int, str], ...] = ()
    mask: int = 0
    width: int = 0


def _flags(word: str, bits: Iterable[tuple[int, str]], width: int) -> Iterator[ProtoField]:
    yield ProtoField(joined(word), word.rpartition(".")[2], Kind.U32, "HEX")
    for mask, name in bits:
        yield ProtoField(joined(word, name), name, Kind.BOOL, mask=mask, width=width)


_CHANNELS = tuple((int(channel), channel.label) for channel in Channel)
_SIDES = tuple((int(side), side.label) for side in Side)
_RECORD_KINDS = tuple((int(kind), kind.name.lower().replace("_", " ")) for kind in RecordKind)
_DESCRIPTOR_KINDS = tuple((int(kind), kind.label) for kind in DescriptorKind)
_MARKS = tuple((int(mark), str(mark.name).lower()) for mark in Mark)
SEALS = ((0x1, "seal"), (0x2, "shrink"), (0x4, "grow"), (0x8, "write"), (0x10, "future_write"), (0x20, "exec"))
HEADER_FLAGS = ((REPLY, "reply"), (NEED_REPLY, "need_reply"))

# Keys of events written by vuproxy; others are shown as text.
TEXT_DETAILS = (
    *(f"{side}_{what}" for side in ("front_end", "back_end") for what in ("command", "executable")),
    *("device", "by", "how", "reason", "text"),
    *("request", "fault", "unreadable"),
)
NUMBER_DETAILS = (
    *(f"{side}_{what}" for side in ("front_end", "back_end") for what in ("pid", "uid", "gid")),
    *("undelivered", "by_sequence", "messages"),
    *("ring", "time", "avail", "used", "pending", "waited", "kick", "kick_unread", "call", "call_unread"),
    *("unnoticed", "in_flight", "left_over", "no_kicks", "no_calls", "back_end_stopped", "front_end_stopped"),
)

FIXED: tuple[ProtoField, ...] = (
    ProtoField(joined("record.version"), "version", Kind.U32),
    ProtoField(joined("record.kind"), "kind of record", Kind.U32, choices=_RECORD_KINDS),
    ProtoField(joined("record.header_length"), "header length", Kind.U32),
    ProtoField(joined("record.length"), "length on the wire", Kind.U64),
    ProtoField(joined("channel"), "channel", Kind.U32, choices=_CHANNELS),
    ProtoField(joined("sender"), "sender", Kind.U32, choices=_SIDES),
    *_flags("marks", _MARKS, 16),
    ProtoField(joined("connection"), "connection", Kind.U32),
    ProtoField(joined("fds"), "descriptors", Kind.U32),
    ProtoField(joined("sequence"), "sequence", Kind.U64),
    ProtoField(joined("received"), "received (ns)", Kind.U64),
    ProtoField(joined("forwarded"), "forwarded (ns)", Kind.U64),
    ProtoField(joined("fd"), "descriptor", Kind.TEXT, "NONE"),
    ProtoField(joined("fd.kind"), "kind", Kind.U32, choices=_DESCRIPTOR_KINDS),
    ProtoField(joined("fd.identity"), "identity", Kind.TEXT, "NONE"),
    ProtoField(joined("fd.first"), "first seen in", Kind.FRAME, "NONE"),
    ProtoField(joined("fd.size"), "size", Kind.U64),
    ProtoField(joined("fd.page_size"), "page size", Kind.U64),
    ProtoField(joined("fd.seals"), "seals", Kind.I32),
    *(ProtoField(joined("fd.seals", name), name, Kind.BOOL, mask=mask, width=32) for mask, name in SEALS),
    ProtoField(joined("fd.flags"), "flags", Kind.U32, "HEX"),
    ProtoField(joined("fd.file"), "file", Kind.TEXT, "NONE"),
    ProtoField(joined("fd.replaced"), "replaces", Kind.TEXT, "NONE"),
    ProtoField(joined("dialect"), "dialect", Kind.TEXT, "NONE"),
    ProtoField(joined("device"), "device type", Kind.TEXT, "NONE"),
    ProtoField(joined("kind"), "kind of message", Kind.TEXT, "NONE"),
    ProtoField(joined("message"), "message", Kind.TEXT, "NONE"),
    ProtoField(joined("request"), "request", Kind.U32),
    ProtoField(joined("flags"), "flags", Kind.U32, "HEX"),
    ProtoField(joined("flags.version"), "version", Kind.U32, mask=VERSION_MASK),
    *(ProtoField(joined("flags", name), name, Kind.BOOL, mask=mask, width=32) for mask, name in HEADER_FLAGS),
    ProtoField(joined("size"), "payload size", Kind.U32),
    ProtoField(joined("form"), "form", Kind.TEXT, "NONE"),
    ProtoField(joined("payload"), "payload", Kind.BYTES, "NONE"),
    ProtoField(joined("problem"), "problem", Kind.TEXT, "NONE"),
    ProtoField(joined("response_in"), "response in", Kind.FRAME, "RESPONSE"),
    ProtoField(joined("response_to"), "response to", Kind.FRAME, "REQUEST"),
    ProtoField(joined("response_time"), "response time", Kind.TIME, "NONE"),
    ProtoField(joined("response_late"), "later than usual", Kind.BOOL),
    ProtoField(joined("unanswered"), "never answered", Kind.BOOL),
    ProtoField(joined("unanswered.request"), "never answered", Kind.FRAME, "NONE"),
    ProtoField(joined("rule"), "rule", Kind.TEXT, "NONE"),
    ProtoField(joined("rule.finding"), "finding", Kind.TEXT, "NONE"),
    *(ProtoField(joined("event", key), key, Kind.TEXT, "NONE") for key in (*TEXT_DETAILS, "other")),
    *(ProtoField(joined("event", key), key, Kind.I64) for key in NUMBER_DETAILS),
)
"""The fields that do not come from the message table, in the order in which Wireshark shows them."""

_HEXADECIMAL = frozenset(
    {
        Meaning.HEX,
        Meaning.OFFSET,
        Meaning.USER_ADDRESS,
        Meaning.GUEST_ADDRESS,
        Meaning.RING_ADDRESS,
        Meaning.IOVA,
        Meaning.BITS,
        Meaning.FLAGS,
        Meaning.VIRTIO_FEATURES,
        Meaning.POINTER,
    }
)
_OF_BYTES = {Meaning.TEXT: Kind.TEXT, Meaning.MAC: Kind.MAC, Meaning.UUID: Kind.UUID, Meaning.SECRET: Kind.NONE}


def base_of(meaning: Meaning) -> str:
    """The base in which numbers with a meaning are shown."""
    return "HEX" if meaning in _HEXADECIMAL else "DEC"


def layouts(protocols: Iterable[Protocol]) -> Iterator[Layout]:
    """Every payload of every dialect, once each."""
    seen: set[Layout] = set()
    for protocol in protocols:
        for row in protocol.messages:
            for layout in (*row.request, *row.reply, ACK):
                if layout not in seen:
                    seen.add(layout)
                    yield layout


def _all_fields(protocols: Iterable[Protocol]) -> Iterator[tuple[str, Field]]:
    """Every field of every payload and configuration space, with the subject of the payload."""
    for layout in layouts(protocols):
        for each in [layout] if layout.array is None else [layout, layout.array.entry]:
            yield from ((subject(each), field) for field in each.fields)
        if layout.tail is not None:
            yield subject(layout), layout.tail.field
    for device in DEVICES:
        yield from ((f"config.{device.name}", field) for field in device.config.fields)


def _kind(code: str, meaning: Meaning) -> Kind:
    if code.endswith("s"):
        return _OF_BYTES.get(meaning, Kind.BYTES)
    return {"q": Kind.I64, "Q": Kind.U64, "i": Kind.I32}.get(code, Kind.U32)


def _widest(kinds: set[Kind]) -> Kind:
    """The type of a filter name that several fields share; Wireshark needs one type per name."""
    order = (Kind.I64, Kind.U64, Kind.I32, Kind.U32)
    return next((kind for kind in order if kind in kinds), min(kinds))


class Catalogue:
    """The fields of all payloads with their names in the tables, after the fixed ones.

    Fields may share a filter name if a number has another meaning in another message: then a number is appended.
    """

    def __init__(self, protocols: Iterable[Protocol]) -> None:
        self.fields: dict[ProtoField, str] = {field: short(field.name) for field in FIXED}
        self._sharing = Counter(field.name for field in FIXED)
        kinds: dict[str, set[Kind]] = {}
        for about, field in _all_fields(protocols):
            kinds.setdefault(field_name(about, field), set()).add(_kind(field.code, field.meaning))
            for part in field.parts:
                kinds.setdefault(joined(about, part.name), set()).add(_kind(field.code, part.meaning))
        self._kinds = {name: _widest(of_name) for name, of_name in kinds.items()}

    def name(self, field: ProtoField) -> str:
        """The name of a field; a new one the first time."""
        if field not in self.fields:
            self._sharing[field.name] += 1
            count = self._sharing[field.name]
            self.fields[field] = short(field.name) + (f"#{count}" if count > 1 else "")
        return self.fields[field]

    def kind(self, name: str) -> Kind:
        """The common type of all fields with this name."""
        return self._kinds[name]

    def payload(self, about: str, field: Field) -> ProtoField:
        """A field of a payload."""
        name = field_name(about, field)
        kind = self.kind(name)
        is_number = kind in (Kind.U32, Kind.U64, Kind.I32, Kind.I64)
        base = base_of(field.meaning) if is_number else "NONE"
        if kind in (Kind.I32, Kind.I64):
            base = "DEC"  # Wireshark has no signed hexadecimal numbers
        return ProtoField(name, field.name, kind, base, tuple(sorted(field.choices.items())))

    def part(self, about: str, name: str, meaning: Meaning) -> ProtoField:
        """A number in some bits of a word, extracted before it is shown."""
        full = joined(about, name)
        return ProtoField(full, name, self.kind(full), base_of(meaning))

    def bit(self, word: str, name: str, number: int, width: int) -> ProtoField:
        """A flag in a word of `width` bits; Wireshark's Lua sees only its half of a long word."""
        half = min(width, 32)
        return ProtoField(f"{word}.{slug(name)}", name, Kind.BOOL, mask=1 << number % 32, width=half)

    def unnamed_bit(self, word: str) -> ProtoField:
        """The number of a bit that is set and has no name."""
        return ProtoField(f"{word}.bit", "bit without a name", Kind.U32)
