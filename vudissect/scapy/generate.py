"""The layers, generated from the table: one for the headers of each channel, one for each form of each message.

A dialect has its own layers for what it changes and shares the others. In big-endian order each layer is a subclass
of the little-endian one, so that `SetVringNum in packet` is true for both.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from struct import error
from typing import Any, cast

from scapy.fields import BitField, EnumField, FlagsField, IntField, LEIntField
from scapy.packet import Packet

from vudissect.protocol.dialects import dialect_by_name
from vudissect.protocol.model import Channel, Device, Layout, Meaning, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.scapy.fields import AnyField, fields_of
from vudissect.scapy.message import NEED_REPLY_FLAG, REPLY_FLAG, Form, Header, Lexicon, Payload
from vudissect.scapy.names import ACK_NAME, config_name, entry_name, header_name, message_name
from vudissect.scapy.record import ExportedPduTags, Part, RecordHeader
from vudissect.wire.codec import forms, layout_codec
from vudissect.wire.header import VERSION, VERSION_MASK, ByteOrder, struct_of

_MODULE = __name__.rpartition(".")[0]
_HEADER_BYTES = 4
_VERSION_BITS = VERSION_MASK.bit_length()
_FLAG_BITS = _HEADER_BYTES * 8 - _VERSION_BITS
_FLAGS = {REPLY_FLAG: "reply", NEED_REPLY_FLAG: "need_reply"}


class Layers:
    """The layers of a dialect in one byte order, as attributes: `layers.VhostUser() / layers.SetVringNum(num=256)`."""

    def __init__(self, layers: Iterable[type[Packet]], headers: dict[Channel, type[Header]]) -> None:
        self.by_name = {layer.__name__: layer for layer in layers}
        self.headers = headers

    def __getattr__(self, name: str) -> type[Packet]:
        layer = self.__dict__.get("by_name", {}).get(name)
        if layer is None:
            raise AttributeError(f"no layer is called {name}")
        return cast(type[Packet], layer)

    def __dir__(self) -> list[str]:
        return sorted(self.by_name)


@cache
def layers(protocol: Protocol, byte_order: ByteOrder) -> Layers:
    """All layers of a protocol in one byte order."""
    headers = {channel: _header(protocol, channel, byte_order) for channel in Channel}
    named: list[type[Packet]] = [*headers.values()]
    for channel, header in headers.items():
        rows = {row.id: row for row in protocol.channel(channel)}
        requests = {number: tuple(_forms(protocol, row, byte_order, reply=False)) for number, row in rows.items()}
        replies = {number: tuple(_forms(protocol, row, byte_order, reply=True)) for number, row in rows.items()}
        header.lexicon = Lexicon(channel, byte_order, protocol.header.error, rows, requests, replies)
        for form in chain.from_iterable((*requests.values(), *replies.values())):
            named.append(form.layer)
            if form.codec.layout.array is not None:
                named.append(_entry(form.codec.layout.array.entry, byte_order))
    return Layers([*named, *_records(protocol)], headers)


def layers_of(dialect: str = "upstream", byte_order: ByteOrder = "little") -> Layers:
    """The layers of a dialect in one byte order, as attributes; `ValueError` if there is no such dialect."""
    found = dialect_by_name(dialect)
    if found is None:
        raise ValueError(f"unknown dialect {dialect!r}: vudissect dialects lists them")
    return layers(found.protocol, byte_order)


def _make(name: str, base: type[Packet], fields: list[AnyField], about: str, **attributes: Any) -> Any:
    """A new layer, as if it were defined in the package from which people import it."""
    kind: Any = type(base)
    return kind(name, (base,), {"__module__": _MODULE, "__doc__": about, "fields_desc": fields, **attributes})


@cache
def _header(protocol: Protocol, channel: Channel, byte_order: ByteOrder) -> type[Header]:
    base: type[Header] = Header
    if byte_order == "big":
        base = _header(protocol, channel, "little")
    elif protocol is not UPSTREAM:
        base = _header(UPSTREAM, channel, "little")
    word = _HEADER_BYTES if byte_order == "big" else -_HEADER_BYTES
    number = IntField if byte_order == "big" else LEIntField
    fields: list[AnyField] = [
        EnumField("id", 0, {row.id: row.name for row in protocol.channel(channel)}, struct_of("I", byte_order).format),
        FlagsField("flags", 0, _FLAG_BITS, _FLAGS, tot_size=word, end_tot_size=1),
        BitField("version", _version(channel, VERSION), _VERSION_BITS, tot_size=1, end_tot_size=word),
        number("size", None),
    ]
    about = f"The header of a message on the {channel.label} channel."
    return cast(type[Header], _make(header_name(channel), base, fields, about))


def _version(channel: Channel, version: int) -> int:
    return 0 if channel is Channel.GPU else version


def _forms(protocol: Protocol, row: Row, byte_order: ByteOrder, *, reply: bool) -> Iterator[Form]:
    for layout in forms(row, reply=reply):
        layer = _ack(byte_order) if layout is ACK else _payload(protocol, row, layout, byte_order, reply)
        yield Form(layout_codec(layout, byte_order), layer)


@cache
def _payload(protocol: Protocol, row: Row, layout: Layout, byte_order: ByteOrder, reply: bool) -> type[Packet]:
    if protocol is not UPSTREAM and UPSTREAM.request(row.channel, row.id) is row:
        return _payload(UPSTREAM, row, layout, byte_order, reply)
    preset = {"id": row.id, "version": _version(row.channel, row.version)}
    if reply:
        preset["flags"] = REPLY_FLAG
    about = f"{f'The answer to: {row.summary}' if reply else row.summary} {layout.deviation or layout.note}".strip()
    base = _payload(protocol, row, layout, "little", reply) if byte_order == "big" else Payload
    return _make_payload(message_name(row, layout, reply=reply), base, layout, byte_order, about, {row.channel: preset})


@cache
def _ack(byte_order: ByteOrder) -> type[Packet]:
    preset = {"version": VERSION, "flags": REPLY_FLAG}
    base = _ack("little") if byte_order == "big" else Payload
    about = "The acknowledgement of any request; set the header's id to that of the request."
    return _make_payload(ACK_NAME, base, ACK, byte_order, about, {Channel.MAIN: preset, Channel.BACKEND: preset})


def _make_payload(
    name: str,
    base: type[Packet],
    layout: Layout,
    byte_order: ByteOrder,
    about: str,
    preset: dict[Channel, dict[str, int]],
) -> type[Packet]:
    """A layer that sets fields of its header; all headers of a channel subclass upstream's."""
    return cast(
        type[Packet],
        _make(
            name,
            base,
            fields_of(layout, byte_order, lambda entry: _entry(entry, byte_order)),
            about,
            overload_fields={_header(UPSTREAM, channel, "little"): words for channel, words in preset.items()},
            show_summary=bool(layout.fields),
            unsaid=frozenset(_padding(layout)),
        ),
    )


def _padding(layout: Layout) -> Iterator[str]:
    for field in layout.fields:
        if field.meaning is Meaning.PADDING:
            yield field.name
        yield from (part.name for part in field.parts if part.meaning is Meaning.PADDING)


@cache
def _entry(layout: Layout, byte_order: ByteOrder) -> type[Packet]:
    base = _entry(layout, "little") if byte_order == "big" else Part
    fields = fields_of(layout, byte_order, lambda entry: _entry(entry, byte_order))
    return cast(type[Packet], _make(entry_name(layout), base, fields, f"An entry of an array: {layout.title}."))


class _Headers(dict[tuple[Channel, ByteOrder], type[Packet]]):
    """The headers of a protocol; those of the unusual byte order are made on demand."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol

    def __missing__(self, key: tuple[Channel, ByteOrder]) -> type[Packet]:
        channel, byte_order = key
        self[key] = layers(self.protocol, byte_order).headers[channel]
        return self[key]


@cache
def _records(protocol: Protocol) -> tuple[type[Packet], type[Packet]]:
    """The layers before a message in a capture: record and tags."""
    record_base, tags_base = (RecordHeader, ExportedPduTags) if protocol is UPSTREAM else _records(UPSTREAM)
    record = _make(
        "VhostUserRecord",
        record_base,
        RecordHeader.fields_desc,
        RecordHeader.__doc__ or "",
        headers=_Headers(protocol),
    )
    tags = _make("ExportedPdu", tags_base, ExportedPduTags.fields_desc, ExportedPduTags.__doc__ or "", record=record)
    return record, tags


class ConfigSpace(Packet):
    """The configuration space of a device, possibly cut short by older peers; little-endian on every machine."""

    def do_dissect(self, s: bytes) -> bytes:
        """Dissect up to where the bytes end."""
        try:
            return super().do_dissect(s)
        except error:
            # What scapy keeps for a dissected layer, so that it is rebuilt unchanged.
            self.raw_packet_cache = s
            return b""


def config_layer(device: Device) -> type[Packet]:
    """The layer of a device type's configuration space."""
    fields = fields_of(device.config, "little", lambda entry: _entry(entry, "little"))
    about = f"The configuration space of a {device.name} device."
    return cast(type[Packet], _make(config_name(device), ConfigSpace, fields, about))
