"""The outcome of a replay: how much was played and compared, what differed, and what was allowed to differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from vudissect.capture.record import Record
from vudissect.protocol.model import Channel, Device, Field, Side
from vudissect.session.arbiter import Known

# The integer, bytes or text of a field; None if there is none.
Value = int | bytes | str | None


class Trouble(StrEnum):
    """How the live side differed from the recording."""

    VALUE = "value"  # a field has another value
    OTHER = "other message"  # another message arrived
    SILENCE = "silence"  # nothing arrived in time
    CLOSED = "closed"  # the connection ended too early
    OPEN = "open"  # the connection did not end
    UNMATCHED = "unmatched"  # a message arrived that the recording does not have
    UNREACHED = "unreached"  # no connection could be made
    DEADLINE = "deadline"  # the replay as a whole took too long


class Difference(NamedTuple):
    """Something that was not as recorded.

    `frame` is the frame in the recording (0: none), `message` and `field` are names; `field` is "" for the whole
    message. `kind` is the field in the table, if it is part of the payload, and `device` the device type, and
    `offset` where the part of its configuration space begins.
    """

    trouble: Trouble
    connection: int
    channel: Channel
    frame: int
    message: str
    field: str
    expected: Value
    got: Value
    kind: Field | None = None
    device: Device | None = None
    offset: int = 0


class Allowed(NamedTuple):
    """A value that differs from the recorded one, as the policy permits; `rule` is the rule that applies."""

    frame: int
    message: str
    field: str
    expected: Value
    got: Value
    rule: str


@dataclass(slots=True)
class Outcome:
    """The state of a replay, during it and at its end. `side` is the side that is played.

    `sent` and `received` count messages, `compared` fields; `unplayed` has the frames of messages that were neither
    sent nor received; `remarks` lists what the replay itself could not do as recorded. `seconds` is the duration,
    `own_seconds` the same without waiting for the other side, `recorded_seconds` the duration of the recording; `lag`
    is the longest delay behind schedule of a replay in real time.
    `recorded` and `live` are the records of both sessions; a live one has the frame of its recorded one. `known` is
    what is known about the connections in advance.
    """

    side: Side
    sent: int = 0
    received: int = 0
    compared: int = 0
    unmatched: int = 0
    differences: list[Difference] = field(default_factory=list)
    allowed: list[Allowed] = field(default_factory=list)
    unplayed: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0
    own_seconds: float = 0.0
    recorded_seconds: float = 0.0
    lag: float = 0.0
    recorded: list[Record] = field(default_factory=list)
    live: list[Record] = field(default_factory=list)
    known: Mapping[int, Known] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everything was played and nothing was different."""
        return not (self.differences or self.unplayed or self.unmatched)
