"""The state of a ring: two small machines, and what the front-end has told of it.

Source: QEMU docs/interop/vhost-user.rst, "Ring states". A back-end processes a ring that is started and enabled; the
two are independent of each other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from vudissect.spec.effect import Effect


class _ByIdentity(Enum):
    """Members are hashed as objects: `Enum` does it in Python, too slow for orders to a thousand rings."""

    __hash__ = object.__hash__


class Started(_ByIdentity):
    """Whether the ring was given to the back-end."""

    STOPPED = "stopped"
    STARTED = "started"


class Enabled(_ByIdentity):
    """Whether the back-end may process it."""

    DISABLED = "disabled"
    ENABLED = "enabled"


class Order(_ByIdentity):
    """What the front-end orders of a ring, be it by a message for the ring or for all of them."""

    KICK = "a kick descriptor comes"
    GET_BASE = "the base is asked for"
    RUN = "started by message"
    HALT = "stopped by message"
    HALT_ALL = "owner reset, where that stops rings"
    ENABLE = "enabled by message"
    DISABLE = "disabled by message"
    ENABLE_ALL = "features acknowledged without PROTOCOL_FEATURES"
    DISABLE_ALL = "owner or device reset"


# What is not in the tables changes nothing.
STARTED: Mapping[tuple[Started, Order], Started] = MappingProxyType(
    {
        (Started.STOPPED, Order.KICK): Started.STARTED,
        (Started.STOPPED, Order.RUN): Started.STARTED,
        (Started.STARTED, Order.GET_BASE): Started.STOPPED,
        (Started.STARTED, Order.HALT): Started.STOPPED,
        (Started.STARTED, Order.HALT_ALL): Started.STOPPED,
    }
)
ENABLED: Mapping[tuple[Enabled, Order], Enabled] = MappingProxyType(
    {
        (Enabled.DISABLED, Order.ENABLE): Enabled.ENABLED,
        (Enabled.DISABLED, Order.ENABLE_ALL): Enabled.ENABLED,
        (Enabled.ENABLED, Order.DISABLE): Enabled.DISABLED,
        (Enabled.ENABLED, Order.DISABLE_ALL): Enabled.DISABLED,
    }
)


class Move(NamedTuple):
    """What an order changes in a ring: the states before and after, in words, and how many more rings are started and
    run for it (-1, 0 or 1)."""

    started: Started
    enabled: Enabled
    before: str
    after: str
    starts: int
    runs: int


def _moves() -> Iterator[tuple[tuple[Started, Enabled, Order], Move]]:
    for started, enabled, order in product(Started, Enabled, Order):
        to_started, to_enabled = STARTED.get((started, order), started), ENABLED.get((enabled, order), enabled)
        if (to_started, to_enabled) != (started, enabled):
            starts = (to_started is Started.STARTED) - (started is Started.STARTED)
            runs = _runs(to_started, to_enabled) - _runs(started, enabled)
            texts = _text(started, enabled), _text(to_started, to_enabled)
            yield (started, enabled, order), Move(to_started, to_enabled, *texts, starts, runs)


def _text(started: Started, enabled: Enabled) -> str:
    return f"{started.value}, {enabled.value}"


def _runs(started: Started, enabled: Enabled) -> bool:
    return started is Started.STARTED and enabled is Enabled.ENABLED


# Both tables in one: a single look-up for each of a thousand rings.
_MOVES = dict(_moves())


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the descriptors of a ring: its name ("" for none), the frame that gave it, and how often one was given."""

    name: str = ""
    nofd: bool = False
    frame: int = 0
    epoch: int = 0


_NEVER = Slot()


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts of a ring are, as told in `frame`; `log` only counts where `logged`."""

    frame: int
    desc: int
    used: int
    avail: int
    log: int
    logged: bool


@dataclass(slots=True)
class Ring:
    """What is known of a ring. Numbers are None until they were told.

    `runs_since` and `stopped_in` are the frames in which it last began to run and was last stopped, 0 for never;
    `began` is the time (ns) of the former.
    """

    index: int
    started: Started = Started.STOPPED
    enabled: Enabled = Enabled.DISABLED
    size: int | None = None
    base: int | None = None
    stopped_at: int | None = None
    runs_since: int = 0
    began: int = 0
    stopped_in: int = 0
    addresses: Addresses | None = None
    slots: dict[Effect, Slot] = field(
        default_factory=lambda: {Effect.SET_KICK: _NEVER, Effect.SET_CALL: _NEVER, Effect.SET_ERR: _NEVER}
    )

    @property
    def running(self) -> bool:
        """Whether the back-end processes it."""
        return _runs(self.started, self.enabled)

    def order(self, order: Order, frame: int = 0, time: int = 0) -> Move | None:
        """Let both machines take the order that a frame gives, `time` in ns; what changes by it, if anything does."""
        move = _MOVES.get((self.started, self.enabled, order))
        if move is not None:
            self.started, self.enabled = move.started, move.enabled
            if move.runs > 0:
                self.runs_since, self.began = frame, time
            if move.starts < 0:
                self.stopped_in = frame
        return move

    def state(self) -> str:
        """The state in words: `started, enabled`."""
        return _text(self.started, self.enabled)

    @property
    def kick(self) -> str:
        """The name of its kick descriptor; "" for none."""
        return self.slots[Effect.SET_KICK].name
