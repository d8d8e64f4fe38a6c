"""What happens to one message: at first it is delivered as it is, and each action of a fault changes that."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from random import Random
from typing import NamedTuple

from vudissect.faults.errors import ImpossibleError
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.faulting import Deliver, HangUp, Inject, Offer, Passing, Step, Withhold
from vudissect.session.event import MessageEvent
from vudissect.wire.header import HEADER_SIZE, struct_of


class Joining(Enum):
    """What a message waits for the next one for."""

    SWAP = auto()
    GLUE = auto()


class Target(NamedTuple):
    """The message that a fault is about, and what decides at random. `number` is that of the fault.

    `channels` are those that are open besides the main channel.
    """

    offer: Offer
    event: MessageEvent
    random: Random
    number: int
    channels: frozenset[Channel] = frozenset()

    @property
    def receiver(self) -> Side:
        """The side that the message is for."""
        return other(self.offer.sender)


@dataclass(frozen=True, slots=True)
class Sending:
    """A message to be sent in the place of `sender`; `data` with its header."""

    channel: Channel
    sender: Side
    data: bytes
    passing: tuple[Passing, ...] = ()
    delay: float = 0.0
    cut: int = 0
    pause: float = 0.0

    def with_payload(self, payload: bytes, offer: Offer) -> "Sending":
        """The same with another payload, and its size in the header."""
        pack = struct_of("III", offer.byte_order)
        number, flags, _ = pack.unpack_from(self.data)
        return replace(self, data=pack.pack(number, flags, len(payload)) + payload)

    @property
    def payload(self) -> bytes:
        """The bytes after the header."""
        return self.data[HEADER_SIZE:]


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be sent, in order, after `before` and before `after`.

    `main` is what is left of the message itself, None if it is withheld; it comes after `earlier`, before `later`.
    `refused`: how many new connections are refused from then on.
    """

    main: Sending | None
    earlier: tuple[Sending, ...] = ()
    later: tuple[Sending, ...] = ()
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    joining: Joining | None = None
    refused: int = 0

    @property
    def message(self) -> Sending:
        """What is left of the message; `ImpossibleError` if nothing is."""
        if self.main is None:
            raise ImpossibleError("an action before it has withheld the message")
        return self.main

    def with_message(self, message: Sending) -> "Plan":
        """The same with another message."""
        return replace(self, main=message)


def beginning(offer: Offer) -> Plan:
    """A message that is delivered as it is."""
    passing = tuple(range(len(offer.descriptors)))
    return Plan(Sending(offer.channel, offer.sender, offer.data, passing))


def steps_of(plan: Plan, offer: Offer) -> list[Step]:
    """The steps of a plan that does not wait for another message."""
    steps = [*plan.before, *map(_injection, plan.earlier)]
    original, main = beginning(offer).message, plan.main
    if main is not None and (main.data, main.passing) == (original.data, original.passing):
        steps.append(Deliver(main.delay, main.cut, main.pause))
    elif main is not None:
        steps += [Withhold(), _injection(main)]
    else:
        steps.append(Withhold())
    steps += map(_injection, plan.later)
    return [*steps, *plan.after]


def closes(plan: Plan) -> bool:
    """Whether the connection is closed."""
    return any(isinstance(step, HangUp) for step in (*plan.before, *plan.after))


def other(side: Side) -> Side:
    """The other of the two sides."""
    return Side.BACK_END if side is Side.FRONT_END else Side.FRONT_END


def _injection(sending: Sending) -> Step:
    return Inject(
        sending.channel,
        sending.sender,
        sending.data,
        sending.passing,
        sending.delay,
        sending.cut,
        sending.pause,
    )
