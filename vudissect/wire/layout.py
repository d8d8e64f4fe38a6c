"""One payload layout, compiled: bytes to a tuple of values and back."""

import struct
from math import prod
from typing import Any

from vudissect.protocol.model import Array, Field, Layout, Tail
from vudissect.wire.errors import FieldError, quoted
from vudissect.wire.header import ByteOrder, struct_of

# Integers and bytes as on the wire, in the order of `Layout.names`; an array is a tuple of such tuples.
Values = tuple[Any, ...]


class LayoutCodec:
    """Decodes and encodes payloads of one layout in one byte order."""

    def __init__(self, layout: Layout, byte_order: ByteOrder) -> None:
        self.layout = layout
        self._fixed = struct_of(layout.codes, byte_order)
        self._entry = struct_of(layout.array.entry.codes, byte_order) if layout.array else None
        self._position = {name: position for position, name in enumerate(layout.names)}
        self.plain = layout.array is None and layout.tail is None and layout.when is None
        self.unpack_fixed = self._fixed.unpack_from

    def may_have(self, size: int) -> bool:
        """Whether a payload of this size could have this layout."""
        return self.layout.size == size if self.layout.size is not None else size >= self._fixed.size

    def decode(self, payload: bytes, size: int) -> Values | None:
        """The values, or None if a payload of `size` bytes does not have this layout.

        If `payload` is shorter than `size` (snap length), arrays and tails are decoded up to where it ends.
        """
        if not self.may_have(size) or len(payload) < self._fixed.size:
            return None
        head: Values = self._fixed.unpack_from(payload)
        if self.layout.when is not None:
            name, allowed = self.layout.when
            if head[self._position[name]] not in allowed:
                return None
        rest = payload[self._fixed.size :]
        wanted = size - self._fixed.size
        if self._entry is not None and self.layout.array is not None:
            if wanted != self._count(self.layout.array, head, wanted) * self._entry.size:
                return None
            whole = len(rest) // self._entry.size * self._entry.size
            return (*head, tuple(self._entry.iter_unpack(rest[:whole])))
        if self.layout.tail is not None:
            return (*head, rest) if wanted == self._tail_length(self.layout.tail, head, wanted) else None
        return head

    def encode(self, values: Values, name: str = "") -> bytes:
        """The payload; a `FieldError` names the first value that does not fit, below `name` (or the layout's name)."""
        number = len(self.layout.fields)
        try:
            payload = self._fixed.pack(*values[:number])
            if self._entry is not None:
                payload += b"".join(self._entry.pack(*entry) for entry in values[number])
            if self.layout.tail is not None:
                payload += values[number]
        except (struct.error, TypeError, IndexError) as error:
            path = name or self.layout.title
            raise _misfit(self.layout, values, path) or FieldError(path, str(error)) from None
        return payload

    def _count(self, array: Array, head: Values, available: int) -> int:
        if isinstance(array.count, int):
            return array.count
        if array.count is None:
            return available // array.entry.fixed_size
        return int(head[self._position[array.count]])

    def _tail_length(self, tail: Tail, head: Values, available: int) -> int:
        if not tail.length:
            return available
        return prod(factor if isinstance(factor, int) else head[self._position[factor]] for factor in tail.length)


def _misfit(layout: Layout, values: Any, path: str) -> FieldError | None:
    """The first value that does not fit its field; None if all do."""
    has_rest = layout.array is not None or layout.tail is not None
    wanted = len(layout.fields) + has_rest
    if not isinstance(values, tuple | list) or len(values) != wanted:
        return FieldError(path, f"{wanted} values are needed, not {quoted(values)}")
    for field, value in zip(layout.fields, values, strict=False):
        problem = _problem(field, value)
        if problem:
            return FieldError(f"{path}.{field.name}", problem)
    if layout.array is not None:
        return _misfit_of_array(layout.array, values[-1], f"{path}.{layout.array.name}")
    if layout.tail is not None and not isinstance(values[-1], bytes):
        return FieldError(f"{path}.{layout.tail.field.name}", f"bytes are needed, not {quoted(values[-1])}")
    return None


def _misfit_of_array(array: Array, entries: Any, path: str) -> FieldError | None:
    if not isinstance(entries, tuple | list):
        return FieldError(path, f"a list is needed, not {quoted(entries)}")
    found = (_misfit(array.entry, entry, f"{path}[{place}]") for place, entry in enumerate(entries))
    return next(filter(None, found), None)


def _problem(field: Field, value: Any) -> str:
    """Why a field cannot have a value; "" if it can."""
    try:
        struct.pack(f"<{field.code}", value)
    except struct.error:
        if field.code.endswith("s"):
            return f"bytes are needed, not {quoted(value)}"
        if not isinstance(value, int):
            return f"a whole number is needed, not {quoted(value)}"
        return f"{quoted(value)} does not fit into {'u' if field.code.isupper() else 's'}{8 * field.size}"
    return ""
