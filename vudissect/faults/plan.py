"""What happens to one message: at first it is delivered as it is, and each action of a fault changes that."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from random import Random
from typing import NamedTuple

from vudissect.faults.errors import ImpossibleError
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.faulting import Deliver, HangUp, Inject, Offer, Step, Withhold
from vudissect.session.event import MessageEvent


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
class Plan:
    """What will be sent, in order, after `before` and before `after`.

    `main` is what is left of the message itself, None if it is withheld; it comes after `earlier`, before `later`.
    `refused`: how many new connections are refused from then on.
    """

    main: Inject | None
    earlier: tuple[Inject, ...] = ()
    later: tuple[Inject, ...] = ()
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    joining: Joining | None = None
    refused: int = 0

    @property
    def message(self) -> Inject:
        """What is left of the message; `ImpossibleError` if nothing is."""
        if self.main is None:
            raise ImpossibleError("an action before it has withheld the message")
        return self.main

    def with_message(self, message: Inject) -> "Plan":
        """The same with another message."""
        return replace(self, main=message)


def beginning(offer: Offer) -> Plan:
    """A message that is delivered as it is."""
    passing = tuple(range(len(offer.descriptors)))
    return Plan(Inject(offer.channel, offer.sender, offer.data, passing))


def steps_of(plan: Plan, offer: Offer) -> list[Step]:
    """The steps of a plan that does not wait for another message."""
    steps: list[Step] = [*plan.before, *plan.earlier]
    original, main = beginning(offer).message, plan.main
    if main is not None and (main.data, main.passing) == (original.data, original.passing):
        steps.append(Deliver(main.delay, main.cut, main.pause))
    elif main is not None:
        steps += [Withhold(), main]
    else:
        steps.append(Withhold())
    return [*steps, *plan.later, *plan.after]


def closes(plan: Plan) -> bool:
    """Whether the connection is closed."""
    return any(isinstance(step, HangUp) for step in (*plan.before, *plan.after))


def other(side: Side) -> Side:
    """The other of the two sides."""
    return Side.BACK_END if side is Side.FRONT_END else Side.FRONT_END
