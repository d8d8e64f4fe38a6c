"""A dialect as a document describes it, and a conversation as a session understands it."""

from tests.conversation import Conversation
from vudissect.protocol.dialects import dialect_by_name
from vudissect.protocol.model import Answer, Channel, Row
from vudissect.protocol.table import Protocol
from vudissect.session.event import Event
from vudissect.session.pairing import Request
from vudissect.session.rings import Started
from vudissect.session.session import Session
from vudissect.session.state import State
from vudissect.wire.fields import to_fields


def protocol_of(key: str) -> Protocol:
    dialect = dialect_by_name(key)
    assert dialect is not None
    return dialect.protocol


def row_of(protocol: Protocol, name: str, channel: Channel = Channel.MAIN) -> Row:
    return next(row for row in protocol.channel(channel) if row.name == name)


def rows_of(protocol: Protocol) -> dict[int, tuple[str, str, str]]:
    """Number to name, size of the request and size of the explicit reply."""
    return {
        row.id: (row.name, row.request[0].size_text, row.reply[0].size_text if row.reply else "")
        for row in protocol.channel(Channel.MAIN)
    }


def always_answered(protocol: Protocol) -> set[str]:
    return {row.name for row in protocol.channel(Channel.MAIN) if row.answer is Answer.ALWAYS}


def fields(event: Event) -> dict[str, object]:
    assert event.message is not None
    assert event.message.fits
    return to_fields(event.message.layout, event.message.values)


class Heard:
    """A conversation, as a session with its dialect forced understands it."""

    def __init__(self, talk: Conversation) -> None:
        self.session = Session(protocol=talk.protocol)
        self.events = list(self.session.events(talk.records))

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def state(self) -> State:
        return self.last.after

    def owed(self, channel: Channel = Channel.MAIN) -> tuple[Request, ...]:
        return self.session.pairing(self.state.number)[channel].owed()

    def started(self, ring: int = 0) -> bool:
        return self.state.rings[ring].started is Started.STARTED
