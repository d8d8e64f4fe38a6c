"""Payloads in a few words, compiled once for each row and layout: the part of a transcript line after the name."""

from collections.abc import Callable
from functools import partial
from typing import Any

from vudissect.protocol.features import F_RING_PACKED
from vudissect.protocol.model import Array, BitField, Field, Layout, Meaning
from vudissect.protocol.purpose import FEATURE_LISTS, Purpose
from vudissect.render.config import config_text
from vudissect.render.features import feature_bits_text, virtio_features_text
from vudissect.render.units import address_text, printable, size_text, whole_hex_text
from vudissect.session.state import State
from vudissect.wire.fields import bytes_text
from vudissect.wire.layout import Values

Text = Callable[[Any, State], str]

_UNSAID = frozenset({Meaning.PADDING, Meaning.LEFTOVER, Meaning.POINTER, Meaning.COUNT, Meaning.SECRET})
_PLAIN = frozenset({Meaning.NUMBER})
_HEXADECIMAL = frozenset({Meaning.GUEST_ADDRESS, Meaning.IOVA, Meaning.OFFSET, Meaning.HEX})


def describe(layout: Layout, purpose: Purpose, *, reply: bool = False) -> Callable[[Values, State], str]:
    """A function from the values of this layout (and the state) to a few words; "" if there is nothing."""
    if not reply and layout.is_region:
        return _region_text(layout)
    if reply and not layout.names:
        return lambda _values, _state: "empty"
    # A transcript spends most of its time here, so everything that messages of a layout have in common is compiled
    # into one expression: a loop over the fields with a call for each would be several times slower.
    words: list[str] = []
    names: dict[str, Any] = {"size": size_text, "config": _config}
    fields = list(enumerate(layout.fields))
    if layout.tail is not None and (reply or purpose is not Purpose.READ_CONFIG):
        # A request to read has space for the contents, but they have no meaning.
        fields.append((len(layout.fields), layout.tail.field))
    for position, field in sorted(fields, key=lambda item: item[1].meaning is not Meaning.KIND):
        if _is_usually_zero(field, purpose, reply) and len(fields) > 1:
            part = _expression(field, position, purpose, names)
            names[f"text{position}"] = eval(f'lambda v, c: f" {part}"', names)
            words.append(f"{{text{position}(v, c) if v[{position}] else ''}}")
        elif field.meaning not in _UNSAID:
            words.append(" " + _expression(field, position, purpose, names))
    if layout.array is not None:
        names["array"] = _array_text(layout.array)
        words.append(f" {{array(v[{len(layout.fields)}], c)}}")
    template = "".join(words)
    # What comes first may be missing, and then leaves its blank.
    expression = f'f"{template[1:]}"' if template[:1] == " " else f'f"{template}".lstrip(" ")'
    text: Callable[[Values, State], str] = eval(f"lambda v, c: {expression}", names)
    return text


def _is_usually_zero(field: Field, purpose: Purpose, reply: bool) -> bool:
    """Whether a field is worth mentioning only if it is not zero."""
    if field.meaning is Meaning.RING_BASE:
        # A request to stop a ring has room for its position, which only the reply knows.
        return purpose is Purpose.STOP_RING and not reply
    if field.meaning is Meaning.FLAGS:
        return purpose not in FEATURE_LISTS
    return purpose is Purpose.READ_CONFIG and bool(field.choices)


def _expression(field: Field, position: int, purpose: Purpose, names: dict[str, Any]) -> str:
    """The part of an f-string that describes value `position` of `v`; the objects it uses are added to `names`."""
    value, meaning = f"v[{position}]", field.meaning
    if meaning is Meaning.CONFIG:
        # What the bytes are depends on where they begin, which the first field says.
        return f"{{config(v[0], {value}, c)}}"
    if not (field.parts or field.bits or field.code.endswith("s")):
        if field.choices:
            names[f"choices{position}"] = field.choices
            return f"{{choices{position}.get({value}) or '{field.name} %d' % {value}}}"
        if meaning in _PLAIN:
            return f"{field.name} {{{value}}}"
        if meaning is Meaning.SIZE:
            return f"{field.name} {{size({value})}}"
        if meaning in _HEXADECIMAL:
            return f"{field.name} {{hex({value}) if {value} else 0}}"
        if meaning is Meaning.RING:
            return f"ring {{{value}}}"
        if meaning is Meaning.STATUS_CODE:
            return f"{{'FAILED (%d)' % {value} if {value} else 'ok'}}"
    names[f"field{position}"] = _field_text(field, purpose)
    return f"{{field{position}({value}, c)}}"


def _field_text(field: Field, purpose: Purpose) -> Text:
    meaning = field.meaning
    if meaning is Meaning.VIRTIO_FEATURES:
        return lambda value, state: virtio_features_text(value, state, purpose)
    if field.bits is not None:
        if purpose in FEATURE_LISTS:
            bits = field.bits
            return lambda value, state: feature_bits_text(bits, value, state, purpose)
        return partial(_flags, field)
    if field.parts:
        return partial(_parts, field.parts)
    special = _SPECIAL.get(meaning)
    if special is not None:
        return partial(special, field)
    name = field.name
    return lambda value, _: f"{name} {_bytes(meaning, value)}" if value else f"no {name}"


def _ring_base(_field: Field, value: int, state: State) -> str:
    return position_text(value, state) if state.features.has(F_RING_PACKED) else f"base {value}"


def position_text(value: int, state: State) -> str:
    """The position of a ring: an index, or the two of a packed ring."""
    if not state.features.has(F_RING_PACKED):
        return str(value)
    avail, used = value & 0xFFFF, value >> 16
    return f"avail {avail & 0x7FFF} wrap {avail >> 15} used {used & 0x7FFF} wrap {used >> 15}"


def _ring_address(field: Field, value: int, state: State) -> str:
    place = state.ring_address(value)
    return f"{field.name} {f'region{place.region.number}+{place.offset:#x}' if place else address_text(value)}"


def _user_address(field: Field, value: int, state: State) -> str:
    region = state.memory.by_user.at(value)
    return f"{field.name} {f'region{region.number}+{value - region.user_addr:#x}' if region else address_text(value)}"


def _flags(field: Field, value: int, _: State) -> str:
    assert field.bits is not None
    return f"{field.name} {'|'.join(field.bits.names(value)) or '0'}"


def _parts(parts: tuple[BitField, ...], value: int, state: State) -> str:
    words = []
    for part in parts:
        number = (value & part.mask) >> part.low
        if part.meaning is Meaning.RING:
            words.append(f"ring {number}")
        elif part.meaning is Meaning.STATUS_CODE:
            words.append(f"FAILED ({number})" if number else "ok")
        elif number:
            words.append(part.name if part.width == 1 else f"{part.name} {number:#x}")
    return " ".join(words)


def _config(offset: int, contents: bytes, state: State) -> str:
    if not contents:
        return "no contents"
    guess = state.guess
    text = config_text(guess.device, contents, offset)
    return f"{guess.text}: {text}" if guess.device is not None else text


def _pixels(field: Field, value: bytes, _: State) -> str:
    return f"{field.name} {size_text(len(value))}"


def _bytes(meaning: Meaning, value: bytes) -> str:
    return whole_hex_text(value) if meaning is Meaning.BYTES else printable(bytes_text(meaning, value))


_SPECIAL: dict[Meaning, Callable[[Field, Any, State], str]] = {
    Meaning.RING_BASE: _ring_base,
    Meaning.RING_ADDRESS: _ring_address,
    Meaning.USER_ADDRESS: _user_address,
    Meaning.PIXELS: _pixels,
}


def _region_text(layout: Layout) -> Callable[[Values, State], str]:
    """A memory region in short: guest address, size, user address. They define the map, so they are not looked up."""
    meanings = [field.meaning for field in layout.fields]
    guest, size, user, offset = map(
        meanings.index, (Meaning.GUEST_ADDRESS, Meaning.SIZE, Meaning.USER_ADDRESS, Meaning.OFFSET)
    )

    def text(values: Values, _: State) -> str:
        place = f"{address_text(values[guest])}+{size_text(values[size])} at {address_text(values[user])}"
        return f"{place} file+{values[offset]:#x}" if values[offset] else place

    return text


def _array_text(array: Array) -> Text:
    singular = array.name.removesuffix("s")
    if array.entry.is_region:
        describe_region = _region_text(array.entry)
        return lambda entries, state: (
            ", ".join(f"{singular}{number} {describe_region(entry, state)}" for number, entry in enumerate(entries))
            or f"no {array.name}"
        )
    describe_entry = describe(array.entry, Purpose.NONE)

    def text(entries: Values, state: State) -> str:
        used = (
            f"{singular}{number} {describe_entry(entry, state)}" for number, entry in enumerate(entries) if any(entry)
        )
        return ", ".join(used) or f"no {array.name}"

    return text
