"""Short ways to write a field, so that a layout reads like the table in a specification."""

from collections.abc import Mapping

from vudissect.spec.model import BitField, BitSet, Field, Meaning


def _integer(
    name: str,
    code: str,
    meaning: Meaning,
    choices: Mapping[int, str] | None,
    bits: BitSet | None,
    parts: tuple[BitField, ...],
    note: str,
) -> Field:
    if choices:
        meaning = Meaning.CHOICE
    elif bits is not None:
        meaning = Meaning.FLAGS
    elif parts:
        meaning = Meaning.BITS
    return Field(name, code, meaning, choices or {}, bits, parts, note)


def u8(
    name: str,
    meaning: Meaning = Meaning.NUMBER,
    *,
    choices: Mapping[int, str] | None = None,
    bits: BitSet | None = None,
    parts: tuple[BitField, ...] = (),
    note: str = "",
) -> Field:
    """Unsigned, 1 byte."""
    return _integer(name, "B", meaning, choices, bits, parts, note)


def u16(
    name: str,
    meaning: Meaning = Meaning.NUMBER,
    *,
    choices: Mapping[int, str] | None = None,
    bits: BitSet | None = None,
    parts: tuple[BitField, ...] = (),
    note: str = "",
) -> Field:
    """Unsigned, 2 bytes."""
    return _integer(name, "H", meaning, choices, bits, parts, note)


def u32(
    name: str,
    meaning: Meaning = Meaning.NUMBER,
    *,
    choices: Mapping[int, str] | None = None,
    bits: BitSet | None = None,
    parts: tuple[BitField, ...] = (),
    note: str = "",
) -> Field:
    """Unsigned, 4 bytes."""
    return _integer(name, "I", meaning, choices, bits, parts, note)


def u64(
    name: str,
    meaning: Meaning = Meaning.NUMBER,
    *,
    choices: Mapping[int, str] | None = None,
    bits: BitSet | None = None,
    parts: tuple[BitField, ...] = (),
    note: str = "",
) -> Field:
    """Unsigned, 8 bytes."""
    return _integer(name, "Q", meaning, choices, bits, parts, note)


def i32(name: str, meaning: Meaning = Meaning.NUMBER, *, note: str = "") -> Field:
    """Signed, 4 bytes."""
    return Field(name, "i", meaning, note=note)


def i64(name: str, meaning: Meaning = Meaning.NUMBER, *, note: str = "") -> Field:
    """Signed, 8 bytes."""
    return Field(name, "q", meaning, note=note)


def raw(name: str, size: int, meaning: Meaning = Meaning.BYTES, note: str = "") -> Field:
    """A run of `size` bytes."""
    return Field(name, f"{size}s", meaning, note=note)


def pad(size: int, name: str = "padding") -> Field:
    """Bytes without meaning; real programs leave whatever was in memory."""
    return Field(name, f"{size}s", Meaning.PADDING)
