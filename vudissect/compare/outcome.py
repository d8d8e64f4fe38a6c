"""What became of a replay: how much was played and compared, what was different, what was let pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from vudissect.capture.record import Record
from vudissect.protocol.model import Channel, Device, Field, Side
from vudissect.session.arbiter import Known

# An integer, bytes or text of a field; None where there is nothing.
Value = int | bytes | str | None


class Trouble(StrEnum):
    """In what way the live side did something else."""

    VALUE = "value"  # a field has another value
    OTHER = "other message"  # another message came
    SILENCE = "silence"  # nothing came in time
    CLOSED = "closed"  # the connection ended
    OPEN = "open"  # the connection did not end
    UNMATCHED = "unmatched"  # something came that the recording has not
    UNREACHED = "unreached"  # nobody was there
    DEADLINE = "deadline"  # the replay as a whole took too long


class Difference(NamedTuple):
    """Something that was not as recorded.

    `frame` is that of the recording (0: none), `message` and `field` are names; `field` is "" where it is about the
    whole message. `kind` is the field's row of the table, if it is one of a payload, `device` the device type.
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


class Allowed(NamedTuple):
    """A value that is another one than recorded, and may be by the policy; `rule` in words."""

    frame: int
    message: str
    field: str
    expected: Value
    got: Value
    rule: str


@dataclass(slots=True)
class Outcome:
    """A replay, as far as it has come. `side` is the one that was played.

    `sent` and `received` count messages, `compared` fields; `unplayed` are the frames of messages that were neither
    sent nor received; `remarks` are what was not quite as recorded by our own doing. `seconds` is how long it took,
    `own_seconds` without the waiting for the other side, `recorded_seconds` how long it took then; `lag` is by how much
    it fell behind at most when it was to be played in real time.
    `recorded` and `live` are the records of both sessions; live ones have the frame of the recorded one. `known` is
    what was known of the connections beforehand.
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
