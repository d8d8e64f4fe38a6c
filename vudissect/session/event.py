"""The output of a session: one event for each record of the capture, with its meaning."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from vudissect.capture.record import Record
from vudissect.session.changes import Change, changes, replaced_descriptor
from vudissect.session.names import NamedDescriptor
from vudissect.session.pairing import Request
from vudissect.session.state import State
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import Fields, to_fields


class Kind(StrEnum):
    """The kind of an event."""

    REQUEST = "request"
    REPLY = "reply"
    ACK = "ack"
    EVENT = "event"
    MALFORMED = "malformed"


class Event(NamedTuple):
    """One record and its meaning, as an immutable value."""

    record: Record
    before: State
    """The state of the connection before this record, read in the dialect of `after`."""
    after: State
    """The state of the connection after this record; the same object if nothing changes."""
    kind: Kind
    elapsed: int
    """Time (ns) since the first record."""
    message: WireMessage | None = None
    """None for events that are not messages."""
    awaits: bool = False
    """Whether an answer to this request is due or possible."""
    request: Request | None = None
    """The request that this reply answers."""
    latency: int | None = None
    """How long (ns) a reply took."""
    descriptors: tuple[NamedDescriptor, ...] = ()
    unanswered: tuple[Request, ...] = ()
    """Requests that were owed an answer and can no longer receive one."""

    @property
    def name(self) -> str:
        """The name of the message, `message 1000` for one that is not in the table; "" for events."""
        return self.message.name if self.message is not None else ""

    @property
    def fields(self) -> Fields:
        """The payload of the message by field name; empty if it fits no layout."""
        message = self.message
        if message is None:
            return {}
        return to_fields(message.layout, message.values)

    @property
    def changes(self) -> Iterator[Change]:
        """What this record changes, in words."""
        return changes(self.before, self.after)

    @property
    def replaced(self) -> str:
        """The name of the descriptor that this message replaces; "" if there is none."""
        return replaced_descriptor(self.before, self.after)
