"""Decoded values as named fields, the form that JSON shows and that people write; and the way back."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from vudissect.protocol.model import BitField, Field, Layout, Meaning
from vudissect.wire.layout import Values

Fields = dict[str, Any]


def to_fields(layout: Layout, values: Values, *, keys_stored: bool = True) -> Fields:
    """Named fields, ready for JSON: integers as they are, bit fields one by one, bytes as text.

    Padding is left out while it is zero, key material is only measured, with a word on whether it was stored. Arrays
    are lists of such dictionaries.
    """
    usual = usual_numbers(layout)
    if usual is not None and values and (numbers := usual.of(values)) is not None:
        return dict(zip(usual.names, numbers, strict=True))
    fields: Fields = {}
    for field, value in zip(layout.fields, values, strict=False):
        _show(fields, field, value, keys_stored)
    rest = values[len(layout.fields) :]
    if layout.array is not None:
        fields[layout.array.name] = [to_fields(layout.array.entry, entry, keys_stored=keys_stored) for entry in rest[0]]
    elif layout.tail is not None:
        _show(fields, layout.tail.field, rest[0], keys_stored)
    return fields


class UsualNumbers(NamedTuple):
    """The fields that nearly all payloads of a layout are shown with, all of them numbers.

    `of` gives these numbers; None for values that are shown in another way, as there is something in their padding.
    """

    names: tuple[str, ...]
    of: Callable[[Values], tuple[int, ...] | None]


@cache
def usual_numbers(layout: Layout) -> UsualNumbers | None:
    """The usual fields of a layout; None where it has other things than numbers and padding."""
    if layout.array is not None or layout.tail is not None:
        return None
    names: list[str] = []
    numbers: list[str] = []
    conditions: list[str] = []
    for position, field in enumerate(layout.fields):
        value = f"v[{position}]"
        if field.parts:
            for part in field.parts:
                if part.meaning is Meaning.PADDING:
                    conditions.append(f"not {value} & {part.mask}")
                else:
                    names.append(part.name)
                    numbers.append(f"({value} & {part.mask}) >> {part.low}")
        elif not field.code.endswith("s"):
            names.append(field.name)
            numbers.append(value)
        elif field.meaning is Meaning.PADDING:
            conditions.append(f"{value} == {bytes(field.size)!r}")
        else:
            return None
    together = f"({' '.join(f'{number},' for number in numbers)})"
    # An expression takes a tenth of the time that a loop over the fields does.
    return UsualNumbers(tuple(names), eval(f"lambda v: {together} if {' and '.join(conditions) or True} else None"))


def _show(fields: Fields, field: Field, value: Any, keys_stored: bool) -> None:
    if field.parts:
        for part in field.parts:
            number = (value & part.mask) >> part.low
            if number or part.meaning is not Meaning.PADDING:
                fields[part.name] = number
    elif not isinstance(value, bytes):
        fields[field.name] = value
    elif field.meaning is not Meaning.PADDING or any(value):
        fields[field.name] = bytes_text(field.meaning, value, keys_stored=keys_stored)


def bytes_text(meaning: Meaning, value: bytes, *, keys_stored: bool = True) -> str:
    """A run of bytes as text: MAC, UUID, NUL-padded text, the length of key material, else hexadecimal."""
    if meaning is Meaning.MAC:
        return value.hex(":")
    if meaning is Meaning.UUID and len(value) == 16:
        return str(UUID(bytes=value))
    if meaning is Meaning.TEXT:
        return value.rstrip(b"\0").decode("utf-8", "backslashreplace")
    if meaning is Meaning.SECRET:
        return f"({len(value)} bytes of key material, not {'shown' if keys_stored else 'stored'})"
    return value.hex()


def from_fields(layout: Layout, fields: Mapping[str, Any]) -> Values:
    """Values for the codec from named fields; what is left out is zero, a count or length is worked out.

    Bytes may be given as bytes or as the text that `to_fields` makes. `ValueError` names an unknown field.
    """
    given = dict(fields)
    rest: tuple[Any, ...] = ()
    if layout.array is not None:
        entries = given.pop(layout.array.name, ())
        rest = (tuple(from_fields(layout.array.entry, entry) for entry in entries),)
        if isinstance(layout.array.count, str):
            given.setdefault(layout.array.count, len(entries))
        elif layout.array.count is not None:
            blank = from_fields(layout.array.entry, {})
            rest = ((*rest[0], *(blank for _ in range(layout.array.count - len(entries)))),)
    elif layout.tail is not None:
        contents = _read_bytes(layout.tail.field.meaning, given.pop(layout.tail.field.name, b""))
        rest = (contents,)
        if len(layout.tail.length) == 1 and isinstance(layout.tail.length[0], str):
            given.setdefault(layout.tail.length[0], len(contents))
    head = tuple(_read(field, given) for field in layout.fields)
    if given:
        known = ", ".join(layout.names) or "none"
        raise ValueError(f"{layout.title} has no field {next(iter(given))!r}; its fields: {known}")
    return head + rest


def _read(field: Field, given: dict[str, Any]) -> Any:
    if field.parts and field.name not in given:
        return sum(_read_part(part, given) for part in field.parts)
    if field.code.endswith("s"):
        contents = _read_bytes(field.meaning, given.pop(field.name, b""))
        if len(contents) > field.size:
            raise ValueError(f"{field.name} has {field.size} bytes, not {len(contents)}")
        return contents
    return given.pop(field.name, 0)


def _read_part(part: BitField, given: dict[str, Any]) -> int:
    number = int(given.pop(part.name, 0))
    if number < 0 or number >> part.width:
        raise ValueError(f"{part.name} has {part.width} bits, too few for {number}")
    return number << part.low


def _read_bytes(meaning: Meaning, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected bytes or text, got {value!r}")
    if meaning is Meaning.TEXT:
        return value.encode()
    return bytes.fromhex(value.replace(":", "").replace("-", ""))
