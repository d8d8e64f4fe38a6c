"""Reads values as a transcript writes them: sizes, addresses in regions, named bits, choices."""

import re
from collections.abc import Mapping
from typing import Any

from vudissect.conversation.conversation import ConversationError
from vudissect.protocol.bits import BitSet
from vudissect.protocol.devices import DEVICES
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Device, Field, Layout, Meaning
from vudissect.session.state import State
from vudissect.wire.codec import layout_codec
from vudissect.wire.errors import FieldError
from vudissect.wire.fields import from_fields

MAX_BYTES = 1 << 24
"""The largest payload: a typing error must not fill the memory."""
BYTES = r"[0-9a-f]{2}(?:\*\d{1,9})?(?: |$)"
"""A pattern for one or several equal bytes in hexadecimal, as `bytes_of` reads them."""

_MAX_DURATION = 10**16
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_NUMBER = re.compile(r"(-?\d{1,40}|0x[0-9a-f]{1,40})([KMGT]?)", re.IGNORECASE | re.ASCII)
_COUNT = re.compile(r"\d{1,20}", re.ASCII)
_DURATION = re.compile(r"(\d{1,20}(?:\.\d{1,20})?)(ns|us|ms|s)", re.ASCII)
_BIT = re.compile(r"bit(\d|[1-5]\d|6[0-3])")
_ADDRESS = re.compile(r"region(\d+)\+(\S+)")
_TEXTS = frozenset({Meaning.MAC, Meaning.UUID, Meaning.TEXT, Meaning.BYTES, Meaning.CONFIG, Meaning.SECRET})
_NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def number(text: str) -> int:
    """`12`, `0x1f`, `256M`."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ConversationError(f"{text!r} is not a number")
    digits, unit = match.groups()
    return int(digits, 0 if digits[:2].lower() == "0x" else 10) << _UNITS[unit.upper()]


def count(text: str, bits: int) -> int:
    """Digits as a number that fits in `bits` bits."""
    if _COUNT.fullmatch(text) is None or int(text) >> bits:
        raise ConversationError(f"{text!r} does not fit in {bits} bits")
    return int(text)


def duration(text: str) -> int | None:
    """`2s`, `4.5ms`, `20us` in nanoseconds; None if this is not a duration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    length = float(match[1]) * _NANOSECONDS[match[2]]
    if length > _MAX_DURATION:
        raise ConversationError(f"{text} is too long")
    return round(length)


def zeros(size: int) -> bytes:
    """`size` zero bytes; `ConversationError` for a size that cannot be meant."""
    if not 0 <= size <= MAX_BYTES:
        raise ConversationError(f"a payload of {size} bytes is not possible; it can have at most {MAX_BYTES}")
    return bytes(size)


def bytes_of(text: str) -> bytes:
    """Bytes in hexadecimal that are separated by blanks; `00*896` is 896 times the same byte."""
    contents = bytearray()
    for word in text.split():
        byte, _, times = word.partition("*")
        size = count(times, 32) if times else 1
        zeros(len(contents) + size)
        contents += bytes.fromhex(byte) * size
    return bytes(contents)


def value_of(field: Field, text: str, state: State | None, device: Device | None) -> Any:
    """The value of a field, from its text in a conversation."""
    if field.meaning is Meaning.PIXELS:
        return zeros(number(text))
    if field.code.endswith("s"):
        if field.meaning not in _TEXTS:
            raise ConversationError(f"{field.name} cannot be written as a field; give the whole payload=HEX")
        return text
    if field.meaning is Meaning.VIRTIO_FEATURES:
        return word(text.split("|"), feature_numbers(device))
    if field.bits is not None:
        return word(text.split("|"), field.bits.numbers)
    if field.choices and not text[:1].isdigit():
        return choice(field, text)
    return address(text, field, state) if "region" in text else number(text)


def choice(field: Field, text: str) -> int:
    """The number of a named value."""
    for value, name in field.choices.items():
        if name == text:
            return value
    raise ConversationError(f"{field.name} must be one of {', '.join(field.choices.values())}, not {text!r}")


def address(text: str, field: Field, state: State | None) -> int:
    """`region0+0x1000`, in the address space of the field."""
    match = _ADDRESS.fullmatch(text)
    regions = state.memory.regions if state is not None else ()
    region = next((region for region in regions if match and region.number == count(match[1], 32)), None)
    if match is None or region is None:
        raise ConversationError(f"{field.name}: no memory region for {text!r}, {len(regions)} regions are known")
    guest = field.meaning is Meaning.RING_ADDRESS and state is not None and _by_guest_address(state)
    return (region.guest_addr if guest else region.user_addr) + number(match[2])


def _by_guest_address(state: State) -> bool:
    bit = state.protocol.protocol_features.numbers.get("GPA_ADDRESSES")
    return bit is not None and state.protocol_features.has(1 << bit)


def word(names: list[str], numbers: Mapping[str, int]) -> int:
    """Named bits as a word; a bit without a name is `bit23`, and numbers are bit masks."""
    value = 0
    for name in names:
        if name in numbers:
            value |= 1 << numbers[name]
        elif match := _BIT.fullmatch(name):
            value |= 1 << int(match[1])
        elif name[:1].isdigit():
            value |= number(name)
        else:
            raise ConversationError(f"unknown bit {name!r}{_hint(name)}")
    return value


def config_bytes(device: Device, values: Mapping[str, str], size: int) -> bytes:
    """The first `size` bytes of a configuration space with these fields; the rest is zero."""
    layout = Layout(device.config.key, device.config.fields)
    fields = {
        field.name: value_of(field, values[field.name], None, device) for field in layout.fields if field.name in values
    }
    try:
        contents = layout_codec(layout, "little").encode(from_fields(layout, fields, device.name), device.name)
    except FieldError as error:
        raise ConversationError(str(error)) from None
    return contents[:size].ljust(len(zeros(size)), b"\0")


def _hint(name: str) -> str:
    owners = [device.name for device in DEVICES if name in device.features.numbers]
    return f"; it is a feature of {' and '.join(owners)}: write `device {owners[0]}` first" if owners else ""


def feature_numbers(device: Device | None) -> dict[str, int]:
    """Bit numbers of virtio features by name; a device's own names take precedence over the common ones."""
    own: BitSet | None = device.features if device is not None else None
    return dict(VIRTIO_FEATURES.numbers) | (dict(own.numbers) if own is not None else {})
