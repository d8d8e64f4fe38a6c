"""What the plugin must show for a record, according to the project's own decoder: every field by its filter name.

Values are plain: numbers, booleans, hexadecimal text for bytes, text. A field that occurs several times in a frame has
several values, in order.
"""

from collections.abc import Iterator
from typing import Any

from vudissect.capture.record import Mark, Record
from vudissect.host.descriptor import Descriptor
from vudissect.protocol.bits import BitSet
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Device, Field, Layout, Meaning
from vudissect.protocol.payloads import ACK
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.usual import is_late
from vudissect.session.event import Event
from vudissect.session.names import NamedDescriptor
from vudissect.wire.codec import WireMessage
from vudissect.wire.header import HEADER_SIZE, VERSION_MASK, ByteOrder, struct_of
from vudissect.wire.layout import LayoutCodec, Values
from vudissect.wireshark.fields import HEADER_FLAGS, NUMBER_DETAILS, SEALS, TEXT_DETAILS
from vudissect.wireshark.names import field_name, joined, slug, subject

Value = int | bool | str
Item = tuple[str, Value]


def expected(event: Event) -> Iterator[Item]:
    """Name and value of every field of a frame, except for those that depend on a later frame."""
    record, message = event.record, event.message
    yield from _record(record)
    if message is None:
        yield from _event(record)
        return
    for named in event.descriptors:
        yield from _descriptor(named)
    yield joined("dialect"), event.after.protocol.key
    device = event.after.guess.device
    if device is not None:
        yield joined("device"), device.name
    yield joined("kind"), _kind(message)
    yield joined("message"), message.name
    if len(message.data) >= HEADER_SIZE:
        yield from _header(record)
    if message.fits:
        yield joined("form"), message.layout.title
        yield from _layout(message.layout, message.values, device)
        yield from _config(message, device)
    elif message.data[HEADER_SIZE:] or (message.data and len(message.data) < HEADER_SIZE):
        rest = message.data[HEADER_SIZE:] if len(message.data) >= HEADER_SIZE else message.data
        yield joined("payload"), rest.hex()
    if message.problem:
        yield joined("problem"), message.problem
    if event.replaced:
        yield joined("fd.replaced"), event.replaced
    if event.request is not None:
        yield joined("response_to"), event.request.frame
        if event.latency is not None:
            yield joined("response_time"), event.latency
            if is_late(event.request.row, event.after.programs[record.sender], event.latency):
                yield joined("response_late"), True


def _kind(message: WireMessage) -> str:
    if message.problem:
        return "malformed"
    if not message.reply:
        return "request"
    return "ack" if message.layout is ACK else "reply"


def _record(record: Record) -> Iterator[Item]:
    yield joined("record.kind"), int(record.kind)
    yield joined("record.length"), record.length
    yield joined("channel"), int(record.channel)
    yield joined("sender"), int(record.sender)
    yield joined("marks"), int(record.marks)
    for mark in Mark:
        yield joined("marks", str(mark.name).lower()), bool(record.marks & mark)
    yield joined("connection"), record.connection
    yield joined("fds"), len(record.descriptors)
    yield joined("sequence"), record.sequence
    yield joined("received"), record.received
    yield joined("forwarded"), record.forwarded


def _descriptor(named: NamedDescriptor) -> Iterator[Item]:
    descriptor: Descriptor = named.descriptor
    yield joined("fd"), named.name
    yield joined("fd.kind"), int(descriptor.kind)
    yield joined("fd.identity"), descriptor.identity
    yield joined("fd.first"), named.first
    if descriptor.is_examined:
        yield joined("fd.size"), descriptor.size
        yield joined("fd.page_size"), descriptor.page_size
        yield joined("fd.seals"), descriptor.seals
        if descriptor.seals >= 0:
            for mask, name in SEALS:
                yield joined("fd.seals", name), bool(descriptor.seals & mask)
        yield joined("fd.flags"), descriptor.flags
    yield joined("fd.file"), descriptor.name


def _event(record: Record) -> Iterator[Item]:
    yield joined("kind"), "event"
    yield joined("message"), record.kind.name.lower().replace("_", " ")
    for key, value in record.details.items():
        if (isinstance(value, str) and key in TEXT_DETAILS) or (not isinstance(value, str) and key in NUMBER_DETAILS):
            yield joined("event", key), value
        else:
            yield joined("event.other"), f"{key}: {value}"


def _header(record: Record) -> Iterator[Item]:
    order: ByteOrder = "big" if record.marks & Mark.BIG_ENDIAN else "little"
    number, flags, size = struct_of("III", order).unpack_from(record.data)
    yield joined("request"), number
    yield joined("flags"), flags
    yield joined("flags.version"), flags & VERSION_MASK
    for mask, name in HEADER_FLAGS:
        yield joined("flags", name), bool(flags & mask)
    yield joined("size"), size


def _layout(layout: Layout, values: Values, device: Device | None) -> Iterator[Item]:
    about = subject(layout)
    for field, value in zip(layout.fields, values, strict=False):
        yield from _field(about, field, value, device)
    rest = values[len(layout.fields) :]
    if layout.array is not None:
        for entry in rest[0]:
            yield from _layout(layout.array.entry, entry, device)
    elif layout.tail is not None and rest[0]:
        yield field_name(about, layout.tail.field), rest[0].hex()


def _field(about: str, field: Field, value: Any, device: Device | None) -> Iterator[Item]:
    name = field_name(about, field)
    if isinstance(value, bytes):
        yield from _bytes(name, field, value)
        return
    yield name, value
    if field.meaning is Meaning.VIRTIO_FEATURES:
        own = device.features if device is not None else BitSet("none", ())
        yield from _bits(name, VIRTIO_FEATURES, value, own)
        if device is not None:
            yield from _bits(joined("features", device.name), own, value)
        yield from ((f"{name}.bit", bit) for bit in _unnamed(value, VIRTIO_FEATURES, own))
    elif field.bits is not None:
        yield from _bits(name, field.bits, value)
        yield from ((f"{name}.bit", bit) for bit in _unnamed(value, field.bits))
    for part in field.parts:
        number = (value & part.mask) >> part.low
        if number or part.meaning is not Meaning.PADDING:
            yield joined(about, part.name), number


def _bits(word: str, bits: BitSet, value: int, hiding: BitSet | None = None) -> Iterator[Item]:
    hidden = hiding.by_number if hiding is not None else {}
    for bit in bits.bits:
        if bit.number < 64 and bit.number not in hidden:
            yield f"{word}.{slug(bit.name)}", bool(value >> bit.number & 1)


def _unnamed(value: int, *sets: BitSet) -> Iterator[int]:
    for bit in range(value.bit_length()):
        if value >> bit & 1 and not any(bit in bits.by_number for bits in sets):
            yield bit


def _bytes(name: str, field: Field, value: bytes) -> Iterator[Item]:
    if field.meaning is Meaning.PADDING and not any(value):
        return
    if field.meaning is Meaning.TEXT:
        yield name, value.rstrip(b"\0").decode("utf-8", "backslashreplace")
    else:
        yield name, "" if field.meaning is Meaning.SECRET else value.hex()


def _config(message: WireMessage, device: Device | None) -> Iterator[Item]:
    """The fields of a configuration space that are there as a whole."""
    layout = message.layout
    if layout.tail is None or layout.tail.field.meaning is not Meaning.CONFIG or device is None:
        return
    asked = not message.reply and message.row.purpose is Purpose.READ_CONFIG
    offset = message.values[[field.name for field in layout.fields].index("offset")]
    if asked:
        return
    contents, end = message.values[-1], 0
    for field in device.config.fields:
        start, end = end, end + field.size
        if start < offset or end > offset + len(contents):
            continue
        one = Layout("field", (field,))
        (value,) = LayoutCodec(one, "little").decode(contents[start - offset : end - offset], field.size) or (0,)
        yield from _field(f"config.{device.name}", field, value, None)
