"""What faults do to a message: the offer of a message, and the steps that are carried out instead of passing it on.

Who decides is not known here: a relay is given something that implements `Faults`, or nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from vudissect.capture.record import Record
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.wire.framing import Piece
from vudissect.wire.header import HEADER_SIZE, ByteOrder, struct_of


class Offer(NamedTuple):
    """A whole message that was received and not passed on. `received` is monotonic, in ns."""

    connection: int
    channel: Channel
    sender: Side
    data: bytes
    marks: int
    received: int
    byte_order: ByteOrder
    descriptors: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new descriptor to be passed; `hung_up`: the other end of a socket or pipe is closed, memory has no size."""

    kind: DescriptorKind
    size: int = 0
    hung_up: bool = False


Passing = int | Fresh
"""A descriptor to pass: the place of one of the message, or a new one."""


@dataclass(frozen=True, slots=True)
class Report:
    """Record what is done, or why not."""

    details: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Deliver:
    """Pass the message on, after a delay (s); cut it at `cut` (0: not), with a pause (s) between the two parts."""

    delay: float = 0.0
    cut: int = 0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Withhold:
    """Do not pass the message on."""


@dataclass(frozen=True, slots=True)
class Inject:
    """Send a message in the place of `sender`; `data` has its header. Times as for `Deliver`."""

    channel: Channel
    sender: Side
    data: bytes
    passing: tuple[Passing, ...] = ()
    delay: float = 0.0
    cut: int = 0
    pause: float = 0.0

    @property
    def payload(self) -> bytes:
        """The bytes after the header."""
        return self.data[HEADER_SIZE:]

    def with_payload(self, payload: bytes, order: ByteOrder) -> "Inject":
        """The same with another payload, and its size in the header."""
        pack = struct_of("III", order)
        number, flags, _ = pack.unpack_from(self.data)
        return replace(self, data=pack.pack(number, flags, len(payload)) + payload)


@dataclass(frozen=True, slots=True)
class WithNext:
    """Hold the message until the next one in its direction, which comes with it in one write, or before it.

    If none comes within `patience` (s), or the next one cannot, it is passed on as it is. `done` or `failed`, with the
    reason, is reported.
    """

    swapped: bool
    done: Mapping[str, str | int]
    failed: Mapping[str, str | int]
    patience: float = 1.0


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection in the place of one side; `half`: that side only stops sending."""

    side: Side
    number: int
    half: bool = False


@dataclass(frozen=True, slots=True)
class Stall:
    """Pass nothing on for some time (s), in both directions of the channel or only in this one."""

    seconds: float
    both: bool


@dataclass(frozen=True, slots=True)
class StopReading:
    """Do not read what the sender writes for some time (s)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Throttle:
    """From here on, pass on at most so many messages a second in this direction."""

    rate: float


@dataclass(frozen=True, slots=True)
class Call:
    """Call a function when everything before it is done."""

    act: Callable[[], object]


Step = Report | Deliver | Withhold | Inject | WithNext | HangUp | Stall | StopReading | Throttle | Call


class Faults(Protocol):
    """Decides what happens to messages."""

    def numbers(self, channel: Channel) -> frozenset[int] | None:
        """The numbers of the messages that have to be offered; None for all."""

    def see(self, record: Record) -> None:
        """Note what was recorded."""

    def decide(self, offer: Offer) -> Sequence[Step]:
        """What to do with a message; nothing for one that is passed on as if it had not been offered."""

    def may_swap(self, first: Offer, second: Offer) -> str:
        """Why the second of two messages must not be passed on before the first; "" if it may."""

    @property
    def summary(self) -> str:
        """How many were injected, and how many could not be."""

    def refuse(self) -> Mapping[str, str | int] | None:
        """The report on a new connection that is refused; None if it is accepted."""


class Control(Protocol):
    """What a pump with faults asks of its link."""

    def inject(self, step: Inject, piece: Piece) -> bool:
        """Queue a message for a side; whether there is such a channel."""

    def hang_up(self, step: HangUp) -> None:
        """Close the connection in the place of a side."""

    def stall(self, seconds: float) -> None:
        """Pass nothing on for some time."""

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` once, after so many seconds."""
