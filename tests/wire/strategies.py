"""Well-formed payloads of any layout, for property tests."""

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st

from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.model import Channel, Field, HeaderRules, Layout, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.wire.codec import Codec, forms
from vudissect.wire.header import ByteOrder
from vudissect.wire.layout import Values


class Form(NamedTuple):
    """One possible form of a message."""

    protocol: Protocol
    row: Row
    reply: bool
    layout: Layout


def _all_forms() -> Iterator[Form]:
    """Every form of every dialect, without rows that look like an earlier one."""
    seen: set[tuple[HeaderRules, tuple[Layout, ...]]] = set()
    for dialect in DIALECTS:
        protocol = dialect.protocol
        for row in protocol.messages if protocol is UPSTREAM else dialect.changed:
            for reply in (False, True):
                company = forms(row, reply=reply)
                if protocol is UPSTREAM or (protocol.header, company) not in seen:
                    seen.add((protocol.header, company))
                    yield from (Form(protocol, row, reply, layout) for layout in company if layout is not ACK)


FORMS = list(_all_forms())


@cache
def codec(protocol: Protocol, byte_order: ByteOrder) -> Codec:
    """A codec, which takes longer to make than to use once."""
    return Codec(protocol, byte_order)


def form_name(form: Form) -> str:
    way = "reply" if form.reply else "request"
    name = f"{form.protocol.key}-{Channel(form.row.channel).label}-{form.row.name}-{way}-{form.layout.key}"
    return name.replace(" ", "_")


def _value(field: Field) -> st.SearchStrategy[Any]:
    if field.code.endswith("s"):
        # A long run is a short one repeated: its contents cannot matter, and drawing 16 KiB is slow.
        return st.binary(min_size=1, max_size=64).map(lambda seed: (seed * field.size)[: field.size])
    signed = field.code.islower()
    bits = field.size * 8
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


@st.composite
def values(draw: st.DrawFn, layout: Layout) -> Values:
    """Values that fit the layout: random, but with counts, lengths and selectors that agree with the rest."""
    rest: tuple[Any, ...] = ()
    forced: dict[str, int] = {}
    if layout.when is not None:
        name, allowed = layout.when
        forced[name] = draw(st.sampled_from(sorted(allowed)))
    if layout.array is not None:
        count = layout.array.count
        number = count if isinstance(count, int) else draw(st.integers(0, 8))
        if isinstance(count, str):
            forced[count] = number
        rest = (tuple(draw(values(layout.array.entry)) for _ in range(number)),)
    if layout.tail is not None:
        names = [factor for factor in layout.tail.length if isinstance(factor, str)]
        forced |= {name: draw(st.integers(0, 7)) for name in names}
        length = 1
        for factor in layout.tail.length:
            length *= factor if isinstance(factor, int) else forced[factor]
        rest = (draw(st.binary(min_size=length, max_size=length)),)
    head = tuple(forced[field.name] if field.name in forced else draw(_value(field)) for field in layout.fields)
    return head + rest


def pack(layout: Layout, given: Values, order: str) -> bytes:
    """The payload, packed field by field without the project's codec."""
    data = b"".join(struct.pack(order + field.code, value) for field, value in zip(layout.fields, given, strict=False))
    rest = given[len(layout.fields) :]
    if layout.array is not None:
        return data + b"".join(pack(layout.array.entry, entry, order) for entry in rest[0])
    return data + (rest[0] if layout.tail is not None else b"")
