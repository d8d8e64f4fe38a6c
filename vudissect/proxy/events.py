"""The events of a direction, and the commands that it returns: see `direction`."""

from dataclasses import dataclass, field
from enum import Enum, auto

from vudissect.proxy.passed import Passed, Run
from vudissect.wire.framing import Piece, Rights


class Refusal(Enum):
    """Why the target did not accept what was sent."""

    FULL = auto()  # an event will report when there is room
    LATER = auto()  # too many descriptors are in flight, or memory is short: no event will report the end of that
    DESCRIPTORS = auto()  # the kernel does not pass on descriptors of this kind


@dataclass(frozen=True, slots=True)
class Read:
    """One read of the source: bytes, and the descriptors that came with the first of them. See `Framer.feed`."""

    data: bytes
    rights: Rights = field(default_factory=list)
    lost: bool = False
    together: bool = False
    now: int = 0


@dataclass(frozen=True, slots=True)
class Framed:
    """Messages that were read and framed before; `at_once`: to be sent with one call, if they are plain."""

    messages: list[bytes | Piece]
    now: int = 0
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """The target has accepted this many bytes, and the descriptors."""

    count: int
    now: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The target has accepted nothing."""

    why: Refusal


@dataclass(frozen=True, slots=True)
class Gone:
    """The target will never accept anything again."""

    how: str


@dataclass(frozen=True, slots=True)
class Interposed:
    """The descriptors to forward instead of the offered ones; None: the offered ones."""

    rights: Rights | None


@dataclass(frozen=True, slots=True)
class Retry:
    """The target may accept more."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The source has ended."""

    how: str


# The events.
Event = Read | Framed | Sent | Refused | Gone | Interposed | Retry | Ended


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes with one call, and the descriptors with the first of them."""

    data: bytes | memoryview
    rights: Rights = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Interpose:
    """Decide what to forward instead of the descriptors of a message."""

    number: int
    rights: Rights


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The message whose descriptors were replaced was sent, with this sequence number."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Record:
    """Record what was forwarded."""

    entry: Run | Passed


@dataclass(frozen=True, slots=True)
class Inspect:
    """Inspect and close the descriptors of a message received so far: its end may be far off."""

    message: Passed


@dataclass(frozen=True, slots=True)
class LostDescriptors:
    """Descriptors did not reach the target."""


# The commands.
Command = Send | Interpose | HandedOver | Record | Inspect | LostDescriptors
