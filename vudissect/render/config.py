"""Configuration spaces by field: what the bytes of a read or a write are, and which of them are unknown."""

from collections.abc import Mapping
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

from vudissect.protocol.model import Device, Field, Layout, Meaning
from vudissect.protocol.purpose import Purpose
from vudissect.render.units import printable
from vudissect.rings.blk import SECTOR
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import bytes_text
from vudissect.wire.layout import LayoutCodec

_MANY = 16


class Part(NamedTuple):
    """Bytes that have no meaning by themselves: of a field that is there in part, or of none that is known.

    `start` counts from the start of `field`; from that of the configuration space if `field` is "".
    """

    field: str
    start: int
    data: bytes

    @property
    def name(self) -> str:
        """`capacity[0:4]`, `unknown[60:64]`."""
        return f"{self.field or 'unknown'}[{self.start}:{self.start + len(self.data)}]"

    @property
    def text(self) -> str:
        """The bytes in hexadecimal; 0 if that is what all of them are."""
        return self.data.hex() if any(self.data) else "0"


class Config(NamedTuple):
    """A piece of a configuration space: the fields that are there, and the bytes that are not decoded."""

    fields: dict[str, Any]
    parts: tuple[Part, ...]


def decode_config(device: Device | None, contents: bytes, offset: int = 0) -> Config:
    """Decode a piece of a configuration space that begins at this offset; little-endian on every machine.

    Padding is left out.
    """
    fields: dict[str, Any] = {}
    parts: list[Part] = []
    end = offset + len(contents)
    begins, known = _starts(device) if device is not None else ((), 0)
    for begin, field in begins:
        first, last = max(begin, offset), min(begin + field.size, end)
        if first >= last or field.meaning is Meaning.PADDING:
            continue
        data = contents[first - offset : last - offset]
        if len(data) == field.size:
            fields[field.name] = _value(field, data)
        elif field.meaning is Meaning.TEXT and first == begin:
            fields[field.name] = bytes_text(field.meaning, data)
        else:
            parts.append(Part(field.name, first - begin, data))
    if end > max(known, offset):
        rest = max(known, offset)
        parts.append(Part("", rest, contents[rest - offset :]))
    return Config(fields, tuple(parts))


def config_names(device: Device | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the numbers of these fields mean: bits and values by name, sectors in bytes. Others are left out."""
    if device is None:
        return {}
    kinds = {field.name: field for field in device.config.fields}
    named = {name: _named(kinds[name], value) for name, value in fields.items()}
    return {name: text for name, text in named.items() if text is not None}


def _named(field: Field, value: Any) -> list[str] | str | None:
    if field.bits is not None:
        return list(field.bits.names(value))
    if field.meaning is Meaning.SECTORS:
        return f"{value * SECTOR} bytes"
    return field.choices.get(value)


def carried_config(message: WireMessage) -> tuple[int, bytes] | None:
    """The piece of a configuration space in a message, as offset and contents; None for any other message.

    A request to read has space for the contents, but they have no meaning.
    """
    tail = message.layout.tail
    if tail is None or tail.field.meaning is not Meaning.CONFIG:
        return None
    if message.row.purpose is Purpose.READ_CONFIG and not message.reply:
        return None
    return message.values[0], message.values[-1]


def config_text(device: Device | None, contents: bytes, offset: int = 0) -> str:
    """The fields that are not zero, and always the first; then the bytes that are not decoded."""
    fields, parts = decode_config(device, contents, offset)
    words = [
        f"{name} {printable(str(value))}" for number, (name, value) in enumerate(fields.items()) if value or not number
    ]
    return " ".join(words + [_part_text(part) for part in parts])


def _part_text(part: Part) -> str:
    """`unknown[0:22]=01...02 unknown[22:256]=0`: many zeros at the end are a part of their own."""
    used = len(part.data.rstrip(b"\0"))
    if not used or len(part.data) - used < _MANY:
        return f"{part.name}={part.text}"
    rest = part._replace(start=part.start + used, data=part.data[used:])
    return f"{_part_text(part._replace(data=part.data[:used]))} {rest.name}={rest.text}"


@cache
def _starts(device: Device) -> tuple[tuple[tuple[int, Field], ...], int]:
    """The fields of a configuration space, each with the offset where it begins, and the size of all of them."""
    fields = device.config.fields
    *begins, size = accumulate((field.size for field in fields), initial=0)
    return tuple(zip(begins, fields, strict=True)), size


def _value(field: Field, data: bytes) -> Any:
    (value,) = _codec(field).decode(data, field.size) or (0,)
    return bytes_text(field.meaning, value) if isinstance(value, bytes) else value


@cache
def _codec(field: Field) -> LayoutCodec:
    return LayoutCodec(Layout("field", (field,)), "little")
