"""Picking events: by message name, channel, sender and ring."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from vudissect.protocol.model import Channel, Layout, Meaning, Side
from vudissect.protocol.table import plain_name
from vudissect.session.event import Event
from vudissect.wire.fields import to_fields


class Filter(NamedTuple):
    """What to keep; an empty member keeps all. Events of the connection go where messages are picked by content."""

    names: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    sender: Side | None = None
    rings: tuple[int, ...] = ()

    def keeps(self, event: Event) -> bool:
        """Whether this event is wanted."""
        record, message = event.record, event.message
        if self.channels and record.channel not in self.channels:
            return False
        if message is None:
            return not (self.names or self.rings or self.sender is not None)
        if self.sender is not None and record.sender is not self.sender:
            return False
        if self.names:
            if message.row is None:
                return str(message.id) in self.names
            spellings = (message.row.name, str(message.id), *message.row.aliases)
            if not any(fnmatchcase(name, plain_name(pattern)) for pattern in self.names for name in spellings):
                return False
        return not self.rings or _ring(event) in self.rings


def _ring(event: Event) -> int | None:
    message = event.message
    if message is None or message.layout is None or not _names_ring(message.layout):
        return None
    ring: int = to_fields(message.layout, message.values)["index"]
    return ring


def _names_ring(layout: Layout) -> bool:
    return any(
        field.meaning is Meaning.RING or any(part.meaning is Meaning.RING for part in field.parts)
        for field in layout.fields
    )
