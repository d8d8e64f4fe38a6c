"""The state of a ring: two small state machines, and what the front-end has set.

Source: QEMU docs/interop/vhost-user.rst, "Ring states". A back-end processes a ring that is started and enabled; the
two are independent.
"""

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from vudissect.capture.observation import Observation
from vudissect.protocol.purpose import Purpose

# More than any device has; a hostile peer could use four billion.
_MOST_RINGS = 1024


class _ByIdentity(Enum):
    """Members are hashed by identity: `Enum` hashes in Python, which is too slow for orders to a thousand rings."""

    __hash__ = object.__hash__


class Started(_ByIdentity):
    """Whether the ring has been handed to the back-end."""

    STOPPED = "stopped"
    STARTED = "started"


class Enabled(_ByIdentity):
    """Whether the back-end may process it."""

    DISABLED = "disabled"
    ENABLED = "enabled"


class Order(_ByIdentity):
    """What the front-end does to a ring, with a message for this ring or for all of them."""

    KICK = "a kick descriptor is set"
    GET_BASE = "the base is requested"
    RUN = "a message starts it"
    HALT = "a message stops it"
    HALT_ALL = "the owner is reset, in dialects where this stops rings"
    ENABLE = "a message enables it"
    DISABLE = "a message disables it"
    ENABLE_ALL = "features are acknowledged without PROTOCOL_FEATURES"
    DISABLE_ALL = "the owner or device is reset"


# An order that is not in the tables changes nothing.
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


_STATES = {(started, enabled): f"{started.value}, {enabled.value}" for started in Started for enabled in Enabled}


class Slot(NamedTuple):
    """A descriptor of a ring: its name ("" for none), the frame that set it, and how often it was set."""

    name: str = ""
    nofd: bool = False
    frame: int = 0
    epoch: int = 0


_NEVER = Slot()


class Addresses(NamedTuple):
    """The addresses of a ring, set in `frame`; `log` is valid only if `logged`."""

    frame: int
    desc: int
    used: int
    avail: int
    log: int
    logged: bool


_NO_SLOTS: Mapping[Purpose, Slot] = MappingProxyType(
    {Purpose.SET_KICK: _NEVER, Purpose.SET_CALL: _NEVER, Purpose.SET_ERR: _NEVER}
)


@dataclass(frozen=True, slots=True)
class Ring:
    """What is known about a ring. Numbers are None until a message sets them.

    `runs_since` and `stopped_in` are the frames in which it last began to run and last stopped, 0 for never; `began`
    is the time (ns) when it last began to run.
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
    slots: Mapping[Purpose, Slot] = field(default_factory=lambda: _NO_SLOTS)
    seen: Observation | None = None
    """What the recorder last saw in it, if it looked."""
    seen_in: int = 0
    """The frame of that."""

    @property
    def running(self) -> bool:
        """Whether the back-end processes it."""
        return self.started is Started.STARTED and self.enabled is Enabled.ENABLED

    def after(self, order: Order, frame: int = 0, time: int = 0) -> "Ring":
        """The ring after an order in this frame, at `time` (ns)."""
        started = STARTED.get((self.started, order), self.started)
        enabled = ENABLED.get((self.enabled, order), self.enabled)
        if started is self.started and enabled is self.enabled:
            return self
        runs_since, began, stopped_in = self.runs_since, self.began, self.stopped_in
        if started is Started.STARTED and enabled is Enabled.ENABLED and not self.running:
            runs_since, began = frame, time
        if self.started is Started.STARTED and started is Started.STOPPED:
            stopped_in = frame
        return replace(
            self, started=started, enabled=enabled, runs_since=runs_since, began=began, stopped_in=stopped_in
        )

    def with_slot(self, purpose: Purpose, slot: Slot) -> "Ring":
        """The ring with another descriptor for this purpose."""
        return replace(self, slots=MappingProxyType({**self.slots, purpose: slot}))

    @property
    def state(self) -> str:
        """The state in words: `started, enabled`."""
        return _STATES[self.started, self.enabled]

    @property
    def kick(self) -> str:
        """The name of its kick descriptor, "" for none."""
        return self.slots[Purpose.SET_KICK].name


# The effect of orders to all rings, by the state of a ring before them.
_Models = Mapping[tuple[Started, Enabled], Ring]

_NO_ORDERS: _Models = {(started, enabled): Ring(-1, started, enabled) for started in Started for enabled in Enabled}


class Rings(Mapping[int, Ring]):
    """The rings that messages have used, by index, in the order of their first use; immutable.

    These counts save a look at every ring: `started`, `enabled`, `running` and `used` are the numbers of rings that are
    started, are enabled, run, and have ever run; `kicks` has the number of started rings for each kick
    descriptor; `latest_run` is the frame in which one last began to run; `were_started` is whether one ever had a kick
    descriptor. `touched` is the index of the last changed ring, None after an order to all.

    An order to all costs the same for any number of rings: it changes four models, one for each state of a
    ring, and a ring catches up with its model when it is read.
    """

    __slots__ = (
        "_fresh",
        "_models",
        "_rings",
        "enabled",
        "kicks",
        "latest_run",
        "running",
        "started",
        "touched",
        "used",
        "were_started",
    )

    def __init__(self) -> None:
        self._rings: dict[int, Ring] = {}
        self._models = _NO_ORDERS
        # Rings that are started and have never run.
        self._fresh = 0
        self.started = 0
        self.enabled = 0
        self.running = 0
        self.used = 0
        self.latest_run = 0
        self.were_started = False
        self.touched: int | None = None
        self.kicks: Mapping[str, int] = _NO_KICKS

    def __getitem__(self, index: int) -> Ring:
        return _like_its_model(self._rings[index], self._models)

    def __iter__(self) -> Iterator[int]:
        return iter(self._rings)

    def __len__(self) -> int:
        return len(self._rings)

    # Three times as fast as those of `Mapping`.

    def values(self) -> ValuesView[Ring]:
        """The rings."""
        return self._all().values()

    def items(self) -> ItemsView[int, Ring]:
        """The rings with their indexes."""
        return self._all().items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rings) and self._all() == other._all()

    __hash__ = None  # type: ignore[assignment]

    @property
    def first_started(self) -> Ring | None:
        """The first ring that is started, None if there is none."""
        if not self.started:
            return None
        return next((ring for ring in self.values() if ring.started is Started.STARTED), None)

    def with_ring(self, ring: Ring) -> "Rings":
        """These rings with one added or replaced, unless it is new and there are too many."""
        before = self.get(ring.index)
        if before is ring or (before is None and len(self) >= _MOST_RINGS):
            return self
        if self._models is not _NO_ORDERS and before == ring:
            return self  # a ring that follows its model is a new object each time it is read
        rings = self._copy()
        rings._rings = self._all().copy()
        rings._put(ring, before or Ring(ring.index))
        rings.touched = ring.index
        return rings

    def after(self, order: Order, frame: int, time: int) -> "Rings":
        """The rings after an order to all of them: `ENABLE_ALL`, `DISABLE_ALL` or `HALT_ALL`."""
        rings = self._copy()
        if order is Order.ENABLE_ALL and self.enabled < len(self):
            if self.running < self.started:
                rings.latest_run = frame
            rings.enabled, rings.running = len(self), self.started
            rings.used, rings._fresh = self.used + self._fresh, 0
        elif order is Order.DISABLE_ALL and self.enabled:
            rings.enabled = rings.running = 0
        elif order is Order.HALT_ALL and self.started:
            rings.started = rings.running = rings._fresh = 0
            rings.kicks = _NO_KICKS
        else:
            return self
        rings._models = {state: model.after(order, frame, time) for state, model in self._models.items()}
        return rings

    def _all(self) -> dict[int, Ring]:
        """The rings as they are now, computed by the first call."""
        models = self._models
        if models is not _NO_ORDERS:
            self._rings = {index: _like_its_model(ring, models) for index, ring in self._rings.items()}
            self._models = _NO_ORDERS
        return self._rings

    def _copy(self) -> "Rings":
        """A copy to be changed, except for the dictionary, which is shared."""
        rings = Rings.__new__(Rings)
        rings._rings, rings._models, rings._fresh = self._rings, self._models, self._fresh
        rings.started, rings.enabled, rings.running = self.started, self.enabled, self.running
        rings.used, rings.latest_run, rings.were_started = self.used, self.latest_run, self.were_started
        rings.kicks = self.kicks
        rings.touched = None
        return rings

    def _put(self, ring: Ring, before: Ring) -> None:
        """Enter a ring into a copy that has its own dictionary."""
        self._rings[ring.index] = ring
        self._models = _NO_ORDERS
        is_started, was_started = ring.started is Started.STARTED, before.started is Started.STARTED
        self.started += is_started - was_started
        self.enabled += (ring.enabled is Enabled.ENABLED) - (before.enabled is Enabled.ENABLED)
        self.running += ring.running - before.running
        self.used += (ring.runs_since > 0) - (before.runs_since > 0)
        self._fresh += (is_started and not ring.runs_since) - (was_started and not before.runs_since)
        self.latest_run = max(self.latest_run, ring.runs_since)
        self.were_started = self.were_started or ring.slots[Purpose.SET_KICK].epoch > 0
        if (was_started and before.kick) != (is_started and ring.kick):
            kicks = dict(self.kicks)
            _count(kicks, before.kick, -int(was_started))
            _count(kicks, ring.kick, int(is_started))
            self.kicks = MappingProxyType(kicks)


def _like_its_model(ring: Ring, models: _Models) -> Ring:
    """A ring after the orders that its model has followed."""
    model = models[ring.started, ring.enabled]
    if model is _NO_ORDERS[ring.started, ring.enabled]:
        return ring
    runs_since, began = (model.runs_since, model.began) if model.runs_since else (ring.runs_since, ring.began)
    return replace(
        ring,
        started=model.started,
        enabled=model.enabled,
        runs_since=runs_since,
        began=began,
        stopped_in=model.stopped_in or ring.stopped_in,
    )


_NO_KICKS: Mapping[str, int] = MappingProxyType({})


def _count(kicks: dict[str, int], name: str, change: int) -> None:
    count = kicks.get(name, 0) + change
    if count and name:
        kicks[name] = count
    else:
        kicks.pop(name, None)
