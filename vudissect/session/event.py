"""What comes out of a session: one event for each record of the capture, with what it means."""

from enum import StrEnum
from typing import NamedTuple

from vudissect.capture.record import Record
from vudissect.session.connection import Connection
from vudissect.session.names import NamedDescriptor
from vudissect.session.pairing import Request
from vudissect.wire.codec import WireMessage


class Kind(StrEnum):
    """What an event is."""

    REQUEST = "request"
    REPLY = "reply"
    ACK = "ack"
    EVENT = "event"
    MALFORMED = "malformed"


class Event(NamedTuple):
    """One record and its meaning.

    `elapsed` is the time (ns) since the first record. `message` is None for events of the connection. `awaits`: an
    answer to this request is due or possible. `request` and `latency` (ns) belong to replies. `replaced` is the name
    of the descriptor that this message puts out of use. `unanswered` are the requests that were owed an answer and can
    no longer get one. `connection` is the live state after this record: look at it before the next one.
    """

    record: Record
    connection: Connection
    kind: Kind
    elapsed: int
    message: WireMessage | None = None
    awaits: bool = False
    request: Request | None = None
    latency: int | None = None
    descriptors: tuple[NamedDescriptor, ...] = ()
    replaced: str = ""
    unanswered: tuple[Request, ...] = ()
