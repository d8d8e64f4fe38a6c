"""Which bytes of a message are key material, so that captures leave them out and no view shows them.

In the message table these are the fields with the meaning `SECRET`. A relay does not know the dialect, and a capture
may be in any, so bytes that are a key in one layout of one dialect count as a key in all messages with that number on
that channel: in either byte order, in requests and in replies. If the size of a payload fits none of these layouts,
everything from the first offset where any of them has a key, or a pointer to one, is treated as key material.
"""

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final, NamedTuple

from vudissect.capture.record import Mark, Record
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.model import Channel, Layout, Meaning, Row
from vudissect.protocol.table import UPSTREAM

_HEADER: Final = 12
_SIZE_OFFSET: Final = 8

_ANNOUNCES_KEYS: Final = frozenset({Meaning.SECRET, Meaning.POINTER})


class KeyPlaces(NamedTuple):
    """Where a payload has key material: start and end offsets, by payload size.

    In a payload of any other size it is from `otherwise` to the end.
    """

    by_size: Mapping[int, tuple[tuple[int, int], ...]]
    otherwise: int


def _rows_with_keys() -> Iterator[Row]:
    """The rows of all dialects that have key material."""
    rows = (*UPSTREAM.messages, *(row for dialect in DIALECTS for row in dialect.rows))
    # Many rows share a layout.
    with_keys = {
        layout for layout in {layout for row in rows for layout in row.request + row.reply} if _has_keys(layout)
    }
    return (row for row in rows if not with_keys.isdisjoint(row.request + row.reply))


def _has_keys(layout: Layout) -> bool:
    return any(field.meaning is Meaning.SECRET for field in layout.fields)


def _spans(layout: Layout, meanings: frozenset[Meaning]) -> Iterator[tuple[int, int]]:
    offset = 0
    for field in layout.fields:
        if field.meaning in meanings:
            yield offset, offset + field.size
        offset += field.size


def _places(rows: list[Row]) -> KeyPlaces:
    layouts = [layout for row in rows for layout in (*row.request, *row.reply) if _has_keys(layout)]
    spans: dict[int, list[tuple[int, int]]] = {}
    for layout in layouts:
        spans.setdefault(layout.fixed_size, []).extend(_spans(layout, frozenset({Meaning.SECRET})))
    first = min(start for layout in layouts for start, _ in _spans(layout, _ANNOUNCES_KEYS))
    return KeyPlaces({size: _merged(of_size) for size, of_size in sorted(spans.items())}, first)


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return tuple(merged)


def _by_number() -> dict[tuple[Channel, int], KeyPlaces]:
    rows: dict[tuple[Channel, int], list[Row]] = {}
    for row in _rows_with_keys():
        rows.setdefault((row.channel, row.id), []).append(row)
    # Some dialects send a failed request back with an error bit in its number.
    errors = {0, *(dialect.header.error for dialect in DIALECTS if dialect.header is not None)}
    return {
        (channel, number | error): _places(of_number)
        for (channel, number), of_number in rows.items()
        for error in errors
    }


KEY_PLACES: Final[Mapping[tuple[Channel, int], KeyPlaces]] = _by_number()
"""Where the messages with key material have it, by channel and number."""

_ORDERS: Final = (Struct("<I"), Struct(">I"))

_BY_START: Final = tuple(
    {
        order.pack(number): (places, order)
        for (place, number), places in KEY_PLACES.items()
        if place is channel
        for order in _ORDERS
    }
    for channel in Channel
)

KEY_STARTS: Final = tuple(frozenset(starts) for starts in _BY_START)
"""The first four bytes of messages with key material, in either byte order; by channel."""

KEY_NUMBERS: Final = frozenset(order.unpack(start)[0] for starts in _BY_START for start in starts for order in _ORDERS)
"""The numbers of messages with key material, as read in the right byte order or in the wrong one."""

NO_KEYS_UP_TO: Final = _HEADER + min(
    start
    for places in KEY_PLACES.values()
    for start in (places.otherwise, *(start for spans in places.by_size.values() for start, _ in spans))
)
"""A message of at most this many bytes has no key material."""


def key_spans(channel: Channel, data: bytes) -> tuple[tuple[int, int], ...]:
    """The start and end of key material in a message; `data` may be only its first part."""
    known = _BY_START[channel].get(data[:4])
    if known is None or len(data) <= NO_KEYS_UP_TO:
        return ()
    places, order = known
    (size,) = order.unpack_from(data, _SIZE_OFFSET)
    spans = places.by_size.get(size) if len(data) <= _HEADER + size else None
    if spans is None:
        spans = ((places.otherwise, len(data)),)
    clipped = ((_HEADER + start, min(_HEADER + end, len(data))) for start, end in spans)
    return tuple((start, end) for start, end in clipped if start < end)


def without_keys(channel: Channel, data: bytes) -> bytes:
    """The message with zeros in place of key material; `data` itself if it has none."""
    spans = key_spans(channel, data)
    return with_keys(data, spans, bytes(len(data))) if spans else data


def with_keys(data: bytes, spans: tuple[tuple[int, int], ...], keys: bytes) -> bytes:
    """The message with these spans taken from `keys`, which has the same length."""
    changed = bytearray(data)
    for start, end in spans:
        changed[start:end] = keys[start:end]
    return bytes(changed)


def masked(record: Record) -> Record:
    """The record of a message without key material, and with a mark if it had any."""
    data = without_keys(record.channel, record.data)
    return record if data is record.data else record._replace(data=data, marks=record.marks | Mark.KEYS_MASKED)
