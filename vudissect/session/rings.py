"""The state of a ring: two small state machines, and what the front-end has set.

Source: QEMU docs/interop/vhost-user.rst, "Ring states". A back-end processes a ring that is started and enabled; the
two are independent of each other.
"""

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

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


@dataclass(frozen=True, slots=True)
class Slot:
    """A descriptor of a ring: its name ("" for none), the frame that set it, and how often it has been set."""

    name: str = ""
    nofd: bool = False
    frame: int = 0
    epoch: int = 0


_NEVER = Slot()


@dataclass(frozen=True, slots=True)
class Addresses:
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
    """What is known about a ring. Numbers are None until a message has them.

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

    @property
    def running(self) -> bool:
        """Whether the back-end processes it."""
        return self.started is Started.STARTED and self.enabled is Enabled.ENABLED

    def after(self, order: Order, frame: int = 0, time: int = 0) -> "Ring":
        """The ring after an order that came in this frame, at `time` (ns)."""
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


class Rings(Mapping[int, Ring]):
    """The rings that messages have used, by index, in the order of their first use; immutable.

    These counts save a look at every ring: `started`, `running` and `used` are the number of rings that are started,
    that run, and that have ever run; `kicks` has the number of started rings for each kick descriptor; `latest_run` is
    the frame in which one last began to run; `were_started` is whether one ever had a kick descriptor. `touched` is the
    index of the ring that was last changed, None after an order to all.
    """

    __slots__ = ("_rings", "kicks", "latest_run", "running", "started", "touched", "used", "were_started")

    def __init__(self) -> None:
        self._rings: dict[int, Ring] = {}
        self.started = 0
        self.running = 0
        self.used = 0
        self.latest_run = 0
        self.were_started = False
        self.touched: int | None = None
        self.kicks: Mapping[str, int] = _NO_KICKS

    def __getitem__(self, index: int) -> Ring:
        return self._rings[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rings)

    def __len__(self) -> int:
        return len(self._rings)

    # These are three times as fast as those of `Mapping`.

    def values(self) -> ValuesView[Ring]:
        """The rings."""
        return self._rings.values()

    def items(self) -> ItemsView[int, Ring]:
        """The rings with their indexes."""
        return self._rings.items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rings) and self._rings == other._rings

    __hash__ = None  # type: ignore[assignment]

    @property
    def first_started(self) -> Ring | None:
        """The first ring that is started, None if there is none."""
        if not self.started:
            return None
        return next((ring for ring in self.values() if ring.started is Started.STARTED), None)

    def with_ring(self, ring: Ring) -> "Rings":
        """These rings with one added or replaced, unless it is new and there are too many."""
        if self._rings.get(ring.index) is ring or (ring.index not in self._rings and len(self) >= _MOST_RINGS):
            return self
        rings = self._copy()
        rings._put(ring)
        rings.touched = ring.index
        return rings

    def after(self, order: Order, frame: int, time: int) -> "Rings":
        """The rings after an order to all of them."""
        changed = [(ring, after) for ring in self.values() if (after := ring.after(order, frame, time)) is not ring]
        if not changed:
            return self
        rings = self._copy()
        for _, after in changed:
            rings._put(after)
        return rings

    def _copy(self) -> "Rings":
        rings = Rings()
        rings._rings = self._rings.copy()
        rings.started, rings.running, rings.used = self.started, self.running, self.used
        rings.latest_run, rings.were_started = self.latest_run, self.were_started
        rings.kicks = self.kicks
        return rings

    def _put(self, ring: Ring) -> None:
        """Set a ring in a new copy, before anybody else has it."""
        before = self._rings.get(ring.index) or Ring(ring.index)
        self._rings[ring.index] = ring
        is_started, was_started = ring.started is Started.STARTED, before.started is Started.STARTED
        self.started += is_started - was_started
        self.running += ring.running - before.running
        self.used += (ring.runs_since > 0) - (before.runs_since > 0)
        self.latest_run = max(self.latest_run, ring.runs_since)
        self.were_started = self.were_started or ring.slots[Purpose.SET_KICK].epoch > 0
        if (was_started and before.kick) != (is_started and ring.kick):
            kicks = dict(self.kicks)
            _count(kicks, before.kick, -int(was_started))
            _count(kicks, ring.kick, int(is_started))
            self.kicks = MappingProxyType(kicks)


_NO_KICKS: Mapping[str, int] = MappingProxyType({})


def _count(kicks: dict[str, int], name: str, change: int) -> None:
    count = kicks.get(name, 0) + change
    if count and name:
        kicks[name] = count
    else:
        kicks.pop(name, None)
