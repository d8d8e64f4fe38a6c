"""Every field of a message, one per line: what `show -v` prints below the line of the transcript."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from vudissect.capture.record import Mark
from vudissect.protocol.devices import feature_names
from vudissect.protocol.model import Field, Layout, Meaning
from vudissect.render.config import carried_config, decode_config
from vudissect.render.descriptors import seals_text
from vudissect.render.features import offered_text
from vudissect.render.units import hex_text, printable, size_text
from vudissect.session.event import MessageEvent
from vudissect.session.names import NamedDescriptor
from vudissect.session.state import State
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import bytes_text
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION_MASK
from vudissect.wire.layout import Values

_MOST_BYTES = 256
_DECIMAL = frozenset({Meaning.NUMBER, Meaning.COUNT, Meaning.RING, Meaning.STATUS_CODE, Meaning.CHOICE})


class FieldLine(NamedTuple):
    """A field as a line, and its place in the bytes of the message, header included."""

    text: str
    start: int
    size: int


def detail_lines(event: MessageEvent) -> Iterator[str]:
    """The header, every field of the payload, the descriptors, and the changes that the message made."""
    message = event.message
    yield f"id {message.id}, flags {_flags_text(message)}, {message.size} bytes of payload"
    yield from (line.text for line in field_lines(event))
    if config := carried_config(message):
        yield from config_lines(event.after, *config)
    if message.layout.deviation:
        yield f"note: {message.layout.deviation}"
    if message.problem:
        yield f"bytes: {hex_text(message.data, _MOST_BYTES)}"
    for named in event.descriptors:
        yield descriptor_line(named)
    for change in event.changes:
        yield f"changes {change.subject}: {change.before} -> {change.after}"


def field_lines(event: MessageEvent) -> Iterator[FieldLine]:
    """Every field of the payload, in the order of their bytes."""
    message = event.message
    stored = not event.record.marks & Mark.KEYS_MASKED
    return _layout_lines(message.layout, message.values, event.after, "", stored, HEADER_SIZE)


def _flags_text(message: WireMessage) -> str:
    words = [f"{message.flags:#x} (version {message.flags & VERSION_MASK}"]
    words += ["reply"] if message.flags & REPLY else []
    words += ["need_reply"] if message.flags & NEED_REPLY else []
    return ", ".join(words) + ")"


def _layout_lines(
    layout: Layout, values: Values, state: State, path: str, keys_stored: bool, start: int
) -> Iterator[FieldLine]:
    for field, value in zip(layout.fields, values, strict=False):
        for text in _field_lines(field, value, state, path, keys_stored):
            yield FieldLine(text, start, field.size)
        start += field.size
    rest = values[len(layout.fields) :]
    if layout.array is not None:
        for number, entry in enumerate(rest[0]):
            entry_path = f"{path}{layout.array.name}[{number}]."
            yield from _layout_lines(layout.array.entry, entry, state, entry_path, keys_stored, start)
            start += layout.array.entry.fixed_size
    elif layout.tail is not None:
        for text in _field_lines(layout.tail.field, rest[0], state, path, keys_stored):
            yield FieldLine(text, start, len(rest[0]))


def _field_lines(field: Field, value: Any, state: State, path: str, keys_stored: bool) -> Iterator[str]:
    name = path + field.name
    if field.parts:
        for part in field.parts:
            number = (value & part.mask) >> part.low
            if number or part.meaning is not Meaning.PADDING:
                yield f"{path}{part.name} = {number}"
    elif isinstance(value, bytes):
        yield f"{name} = {_bytes_text(field.meaning, value, keys_stored)}"
    elif field.meaning is Meaning.VIRTIO_FEATURES:
        yield f"{name} = {value:#x} ({offered_text(feature_names(state.guess.device, value))})"
    elif field.bits is not None:
        yield f"{name} = {value:#x} ({offered_text(field.bits.names(value))})"
    elif field.choices:
        yield f"{name} = {value} ({field.choices.get(value, 'unknown')})"
    elif field.meaning is Meaning.SIZE:
        yield f"{name} = {value} ({size_text(value)})" if value >= 1024 else f"{name} = {value}"
    else:
        yield f"{name} = {value}" if field.meaning in _DECIMAL else f"{name} = {value:#x}"


def config_lines(state: State, offset: int, contents: bytes) -> Iterator[str]:
    """Every field of a configuration space, or of a part of one."""
    guess = state.guess
    owner = f"{guess.text}." if guess.device is not None else ""
    fields, parts = decode_config(guess.device, contents, offset)
    for key, content in fields.items():
        yield f"contents.{owner}{key} = {printable(str(content))}"
    for part in parts:
        yield f"contents.{owner if part.field else ''}{part.name} = {part.text}"


def _bytes_text(meaning: Meaning, value: bytes, keys_stored: bool) -> str:
    if meaning in (Meaning.BYTES, Meaning.PADDING, Meaning.CONFIG, Meaning.PIXELS):
        return hex_text(value, _MOST_BYTES)
    return printable(bytes_text(meaning, value, keys_stored=keys_stored))


def descriptor_line(named: NamedDescriptor) -> str:
    """All that is known about a descriptor, and where it was first seen."""
    descriptor = named.descriptor
    words = [f"{named.name}: {descriptor.kind.label}", printable(descriptor.name)]
    if not descriptor.is_examined:
        words.append("size, seals and flags unknown")
    if descriptor.size:
        words.append(f"size {descriptor.size} ({size_text(descriptor.size)})")
    if descriptor.page_size:
        words.append(f"page size {size_text(descriptor.page_size)}")
    if seals := seals_text(descriptor.seals):
        words.append(f"seals {seals}")
    if descriptor.is_examined:
        words.append(f"flags {descriptor.flags:#o}")
    words.append(f"identity {printable(descriptor.identity)}" if descriptor.identity else "identity unknown")
    words.append(f"first seen in #{named.first}")
    return ", ".join(word for word in words if word)
