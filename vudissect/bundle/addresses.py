"""Moves the addresses of processes in a capture, so that they do not tell where the memory of a process is.

All addresses of a connection are moved by the same distance, a multiple of 2 MiB: what belongs together still does, and
alignments stay. Addresses of the guest and IOVAs are left as they are.
"""

from typing import Any, Final

from vudissect.capture.record import Mark, Record
from vudissect.protocol.features import F_ACCESS_PLATFORM
from vudissect.protocol.model import Field, Layout, Meaning
from vudissect.session.event import MessageEvent
from vudissect.session.session import Session
from vudissect.wire.header import HEADER_SIZE
from vudissect.wire.layout import LayoutCodec

# Where the first region of a connection is afterwards.
_BASE: Final = 0x7000_0000_0000
_ALIGNED: Final = ~((2 << 20) - 1)
_WORD: Final = (1 << 64) - 1
_MOVED: Final = frozenset({Meaning.USER_ADDRESS, Meaning.RING_ADDRESS})


class Addresses:
    """Show it all records, in order."""

    def __init__(self) -> None:
        self._session = Session(detect=True)
        self._distances: dict[int, int] = {}
        self.messages = 0
        """How many messages were changed."""

    def moved(self, record: Record) -> Record:
        """The record with other addresses."""
        event = self._session.feed(record)
        if event.message is None or event.message.problem or record.is_cut:
            return record
        layout = event.message.layout
        entries = layout.array.entry.fields if layout.array is not None else ()
        if not any(field.meaning in _MOVED for field in (*layout.fields, *entries)):
            return record
        payload = LayoutCodec(layout, "big" if record.marks & Mark.BIG_ENDIAN else "little").encode(
            self._values(event, layout)
        )
        data = record.data[:HEADER_SIZE] + payload
        if data == record.data or len(data) != len(record.data):
            return record
        self.messages += 1
        return record._replace(data=data)

    def _values(self, event: MessageEvent, layout: Layout) -> tuple[Any, ...]:
        values = list(event.message.values)
        number = len(layout.fields)
        if layout.array is not None:
            entry = layout.array.entry.fields
            values[number] = tuple(self._row(event, entry, row) for row in values[number])
        return (*self._row(event, layout.fields, tuple(values[:number])), *values[number:])

    def _row(self, event: MessageEvent, fields: tuple[Field, ...], values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            self._address(event, field, value) if field.meaning in _MOVED else value
            for field, value in zip(fields, values, strict=True)
        )

    def _address(self, event: MessageEvent, field: Field, address: int) -> int:
        state = event.after
        of_guest = state.uses_guest_addresses or state.features.has(F_ACCESS_PLATFORM)
        if not address or (field.meaning is Meaning.RING_ADDRESS and of_guest):
            return address
        distance = self._distances.setdefault(state.number, _BASE - (address & _ALIGNED))
        return address + distance & _WORD
