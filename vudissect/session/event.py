"""The output of a session: one event for each record of the capture, with its meaning."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal, NamedTuple

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


class MessageEvent(NamedTuple):
    """A message and its meaning, as an immutable value."""

    record: Record
    before: State
    """The state of the connection before this record, read in the dialect of `after`."""
    after: State
    """The state of the connection after this record; the same object if nothing changes."""
    kind: Kind
    elapsed: int
    """Time (ns) since the first record."""
    message: WireMessage
    awaits: bool = False
    """Whether an answer to this request is due or possible."""
    request: Request | None = None
    """The request that this reply answers."""
    latency: int | None = None
    """How long (ns) a reply took."""
    descriptors: tuple[NamedDescriptor, ...] = ()

    @property
    def unanswered(self) -> tuple[Request, ...]:
        """Only other events leave requests unanswered."""
        return ()

    @property
    def name(self) -> str:
        """The name of the message, `message 1000` for one that is not in the table."""
        return self.message.name

    @property
    def fields(self) -> Fields:
        """The payload of the message by field name; empty if it fits no layout."""
        return to_fields(self.message.layout, self.message.values)

    @property
    def changes(self) -> Iterator[Change]:
        """What this message changes, in words."""
        return changes(self.before, self.after)

    @property
    def replaced(self) -> str:
        """The name of the descriptor that this message replaces; "" if there is none."""
        return replaced_descriptor(self.before, self.after)


class ConnectionEvent(NamedTuple):
    """Everything else in a capture: a connection or channel opens or closes, messages were lost, a note.

    It has all that a message event has, empty; `event.message is None` distinguishes the two, also for a type checker.
    """

    record: Record
    before: State
    after: State
    elapsed: int
    unanswered: tuple[Request, ...] = ()
    """Requests that were owed an answer and can no longer receive one."""
    kind: Literal[Kind.EVENT] = Kind.EVENT
    message: None = None
    awaits: Literal[False] = False
    request: None = None
    latency: None = None
    descriptors: tuple[()] = ()
    name: Literal[""] = ""
    replaced: Literal[""] = ""

    @property
    def fields(self) -> Fields:
        """Empty: there is no payload."""
        return {}

    @property
    def changes(self) -> Iterator[Change]:
        """What this event changes, in words."""
        return changes(self.before, self.after)


Event = MessageEvent | ConnectionEvent
"""One record and its meaning: a message, or something that happened to its connection."""
