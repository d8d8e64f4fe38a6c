"""What happens to a direction, and what it has done about it: see `direction`."""

from dataclasses import dataclass, field
from enum import Enum, auto

from vudissect.proxy.passed import Passed, Run
from vudissect.wire.framing import Rights


class Refusal(Enum):
    """Why the target did not take what was sent."""

    FULL = auto()  # an event reports when there is room
    LATER = auto()  # too many descriptors are in flight, or memory is short: no event reports when that is over
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
class Sent:
    """The target has taken so many bytes, and the descriptors."""

    count: int
    now: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The target has taken nothing."""

    why: Refusal


@dataclass(frozen=True, slots=True)
class Gone:
    """The target will never take anything again."""

    how: str


@dataclass(frozen=True, slots=True)
class Interposed:
    """The descriptors to forward in place of those that were offered; None: those that were offered."""

    rights: Rights | None


@dataclass(frozen=True, slots=True)
class Retry:
    """The target may take more."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The source gives nothing more."""

    how: str


# What happens to a direction.
Event = Read | Sent | Refused | Gone | Interposed | Retry | Ended


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes with one call, and the descriptors with the first of them."""

    data: bytes | memoryview
    rights: Rights = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Interpose:
    """Say what to forward in place of the descriptors of a message."""

    number: int
    rights: Rights


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The message whose descriptors were replaced has left, with this sequence number."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Record:
    """Record what has passed."""

    entry: Run | Passed


@dataclass(frozen=True, slots=True)
class Inspect:
    """Inspect and close the descriptors that a message has brought up to now: its end may be far."""

    message: Passed


@dataclass(frozen=True, slots=True)
class LostDescriptors:
    """Descriptors did not reach the target."""


# What follows from it.
Command = Send | Interpose | HandedOver | Record | Inspect | LostDescriptors
