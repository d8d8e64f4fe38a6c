"""Decoded values as named fields, as JSON shows them and people write them; and the reverse."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from vudissect.protocol.model import Array, BitField, Field, Layout, Meaning
from vudissect.wire.errors import FieldError, quoted
from vudissect.wire.layout import Values

Fields = dict[str, Any]


def to_fields(layout: Layout, values: Values, *, keys_stored: bool = True) -> Fields:
    """Named fields, ready for JSON: integers as they are, bit fields one by one, bytes as text.

    Padding is left out while it is zero; for key material only the length is shown, and whether it was stored. Arrays
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
    """The fields shown for nearly all payloads of a layout, all of them numbers.

    `of` returns these numbers; None for values that are shown differently because their padding is not zero.
    """

    names: tuple[str, ...]
    of: Callable[[Values], tuple[int, ...] | None]


@cache
def usual_numbers(layout: Layout) -> UsualNumbers | None:
    """The usual fields of a layout; None if it has anything else than numbers and padding."""
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
    # An expression takes a tenth of the time of a loop over the fields.
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


def from_fields(layout: Layout, fields: Mapping[str, Any], name: str = "") -> Values:
    """Values for the codec from named fields; missing fields are zero, counts and lengths are computed.

    Bytes may be given as bytes or as the text that `to_fields` makes. A `FieldError` names what cannot be used, below
    `name` (by default the layout's); whether numbers fit is checked when they are encoded.
    """
    path = name or layout.title
    if not isinstance(fields, Mapping):
        raise FieldError(path, f"named fields are needed, not {quoted(fields)}")
    given = dict(fields)
    rest: tuple[Any, ...] = ()
    if layout.array is not None:
        rest = (_entries(layout.array, given, f"{path}.{layout.array.name}"),)
    elif layout.tail is not None:
        field = layout.tail.field
        contents = _read_bytes(field.meaning, given.pop(field.name, b""), f"{path}.{field.name}")
        rest = (contents,)
        if len(layout.tail.length) == 1 and isinstance(layout.tail.length[0], str):
            given.setdefault(layout.tail.length[0], len(contents))
    head = tuple(_read(field, given, path) for field in layout.fields)
    if given:
        known = ", ".join(layout.names) or "none"
        raise FieldError(path, f"no field {quoted(next(iter(given)))}; its fields: {known}")
    return head + rest


def _entries(array: Array, given: dict[str, Any], path: str) -> tuple[Values, ...]:
    entries = given.pop(array.name, ())
    if not isinstance(entries, list | tuple):
        raise FieldError(path, f"a list is needed, not {quoted(entries)}")
    values = tuple(from_fields(array.entry, entry, f"{path}[{place}]") for place, entry in enumerate(entries))
    if isinstance(array.count, str):
        given.setdefault(array.count, len(entries))
    elif array.count is not None:
        if len(entries) > array.count:
            raise FieldError(path, f"there is room for {array.count} entries, not {len(entries)}")
        values += (from_fields(array.entry, {}),) * (array.count - len(entries))
    return values


def _read(field: Field, given: dict[str, Any], path: str) -> Any:
    if field.parts and field.name not in given:
        return sum(_read_part(part, given, path) for part in field.parts)
    if field.code.endswith("s"):
        contents = _read_bytes(field.meaning, given.pop(field.name, b""), f"{path}.{field.name}")
        if len(contents) > field.size:
            raise FieldError(f"{path}.{field.name}", f"there is room for {field.size} bytes, not {len(contents)}")
        return contents
    return given.pop(field.name, 0)


def _read_part(part: BitField, given: dict[str, Any], path: str) -> int:
    value = given.pop(part.name, 0)
    if not isinstance(value, int):
        raise FieldError(f"{path}.{part.name}", f"a whole number is needed, not {quoted(value)}")
    if value < 0 or value >> part.width:
        raise FieldError(f"{path}.{part.name}", f"{quoted(value)} does not fit into {part.width} bits")
    return value << part.low


def _read_bytes(meaning: Meaning, value: Any, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise FieldError(path, f"bytes or text are needed, not {quoted(value)}")
    if meaning is Meaning.TEXT:
        return value.encode()
    try:
        return bytes.fromhex(value.replace(":", "").replace("-", ""))
    except ValueError:
        raise FieldError(path, f"{quoted(value)} is not hexadecimal") from None
