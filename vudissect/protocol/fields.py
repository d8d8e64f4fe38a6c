"""Short ways to write a field, so that a layout reads like a table in the specification."""

from collections.abc import Mapping
from typing import Protocol

from vudissect.protocol.bits import BitSet
from vudissect.protocol.model import BitField, Field, Meaning


class _Integer(Protocol):
    def __call__(
        self,
        name: str,
        meaning: Meaning = Meaning.NUMBER,
        *,
        choices: Mapping[int, str] | None = None,
        bits: BitSet | None = None,
        parts: tuple[BitField, ...] = (),
        note: str = "",
        writable: bool = False,
        feature: str = "",
    ) -> Field: ...


def _integer(code: str) -> _Integer:
    def make(
        name: str,
        meaning: Meaning = Meaning.NUMBER,
        *,
        choices: Mapping[int, str] | None = None,
        bits: BitSet | None = None,
        parts: tuple[BitField, ...] = (),
        note: str = "",
        writable: bool = False,
        feature: str = "",
    ) -> Field:
        if choices and meaning is Meaning.NUMBER:
            meaning = Meaning.CHOICE
        elif bits is not None:
            meaning = Meaning.FLAGS
        elif parts:
            meaning = Meaning.BITS
        return Field(name, code, meaning, choices or {}, bits, parts, note, writable, feature)

    return make


u8 = _integer("B")
u16 = _integer("H")
u32 = _integer("I")
u64 = _integer("Q")
i32 = _integer("i")
i64 = _integer("q")


def raw(name: str, size: int, meaning: Meaning = Meaning.BYTES, note: str = "", *, writable: bool = False) -> Field:
    """A run of `size` bytes."""
    return Field(name, f"{size}s", meaning, note=note, writable=writable)


def pad(size: int, name: str = "padding") -> Field:
    """Bytes without meaning; real programs send whatever was in memory."""
    return Field(name, f"{size}s", Meaning.PADDING)
