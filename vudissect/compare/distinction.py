"""What is different between two sessions, as values, in the order in which one difference can cause another."""

from enum import IntEnum, StrEnum
from typing import NamedTuple

from vudissect.compare.align import Aligned
from vudissect.compare.outcome import Value
from vudissect.protocol.model import Device, Field


class What(StrEnum):
    """How two sessions differ in one respect."""

    VALUE = "value"  # the same message has another value
    MISSING = "missing"  # only the first session has the message
    ADDED = "added"  # only the second session has it
    TIMES = "times"  # both have it, but not equally often
    MOVED = "moved"  # both have it, in another order
    SESSION = "session"  # a property of the session as a whole


class Place(IntEnum):
    """What a difference is about: what is negotiated first causes the rest."""

    PROGRAM = 0  # the dialect, the type of the device
    OFFERED = 1  # features
    ACKNOWLEDGED = 2
    ABILITY = 3  # numbers of queues and memory slots, the configuration space
    FAILURE = 4  # a request succeeds in one session only
    REST = 5  # one session ends while the other goes on
    MESSAGE = 6  # messages that only one session has
    ORDER = 7
    MEMORY = 8
    RING = 9
    CONTENT = 10  # of any other message
    FLAG = 11  # of headers
    DESCRIPTOR = 12
    TRAFFIC = 13  # the device's own messages
    ENDING = 14


class Distinction(NamedTuple):
    """One difference.

    `messages` and `rings` are those that it concerns, each only once; `field` is "" for whole messages. `before` is the
    value in the first session, `after` that in the second (numbers of messages for `What.TIMES`). `kind` and `device`
    describe the field, `offset` is where its part of a configuration space begins. `features` are names of features
    that differ, or without which such a message is not sent. `frames` and `other_frames` are the places in both
    captures. `number` counts the differences of two connections from 1; `because` is the number of the one that causes
    it, 0 if it is a cause itself.
    """

    what: What
    place: Place
    messages: tuple[str, ...]
    rings: tuple[int, ...]
    field: str
    before: Value
    after: Value
    frames: tuple[int, ...]
    other_frames: tuple[int, ...]
    kind: Field | None = None
    device: Device | None = None
    features: frozenset[str] = frozenset()
    offset: int = 0
    because: int = 0
    number: int = 0


class Compared(NamedTuple):
    """The differences of two sessions: causes in order of their place, each before what follows from it."""

    distinctions: tuple[Distinction, ...]
    steps: tuple[Aligned, ...]
    """The requests of both, channel by channel."""
