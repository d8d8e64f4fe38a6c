"""What a recorder saw of a ring at one moment, as the details of a record. docs/capture-format.md has the keys."""

from collections.abc import Mapping
from typing import NamedTuple

_MOST = (1 << 63) - 1


class Observation(NamedTuple):
    """A ring in guest memory, and its two event descriptors, at one moment. None and "" are unknown.

    Positions of a split ring count requests, modulo 65536; those of a packed ring are a descriptor and in bit 15 the
    wrap counter. Durations are in nanoseconds.
    """

    ring: int
    time: int = 0
    """When (ns, monotonic); 0 for the time of its record, which comes a little later."""
    avail: int | None = None
    """Where the driver makes the next request available."""
    used: int | None = None
    """Where the device puts the next one that it has completed; unknown for packed rings."""
    pending: int | None = None
    """How many requests are available and not completed; descriptors in a packed ring, where it is an upper bound."""
    waited: int = 0
    """How long at least requests have been pending without one being completed."""
    kick: int | None = None
    """The counter of the kick descriptor: above 0 if a kick was written and not read."""
    kick_unread: int = 0
    """How long at least it has been above 0 without having been 0."""
    call: int | None = None
    """The counter of the call descriptor."""
    call_unread: int = 0
    """How long at least it has been above 0 without having been 0."""
    unnoticed: int = 0
    """How long at least the driver has not noticed that the device has passed the position from which it wants a call.
    Without event indices: that a call, which it wants, is unread, although calls were read before."""
    in_flight: int | None = None
    """How many requests are marked in the in-flight memory; descriptors in a packed ring."""
    left_over: int = 0
    """How long at least requests have been marked there although none is pending."""
    no_kicks: bool = False
    """Whether the device asks not to be kicked."""
    no_calls: bool = False
    """Whether the driver asks not to be called."""
    back_end_stopped: bool = False
    """Whether the process of the back-end is stopped, by a signal or a debugger."""
    front_end_stopped: bool = False
    """Whether the process of the front-end is."""
    request: str = ""
    """The oldest pending request, in words."""
    fault: str = ""
    """What is wrong in the ring."""
    unreadable: str = ""
    """Why it could not be read."""

    @property
    def is_packed(self) -> bool:
        """Whether it is of a packed ring: only there the device's position is unknown while the driver's is known."""
        return self.avail is not None and self.used is None

    @property
    def details(self) -> Mapping[str, str | int]:
        """As the details of a record: only what is known."""
        defaults = self._field_defaults
        return {
            key: int(value) if isinstance(value, bool) else value
            for key, value in self._asdict().items()
            if key not in defaults or value != defaults[key]
        }


def observation_of(details: Mapping[str, str | int]) -> Observation | None:
    """The observation in the details of a record; None if they have no ring. What does not fit is unknown."""
    ring = _number(details, "ring")
    if ring is None:
        return None
    return Observation(
        ring,
        _number(details, "time") or 0,
        _number(details, "avail"),
        _number(details, "used"),
        _number(details, "pending"),
        _number(details, "waited") or 0,
        _number(details, "kick"),
        _number(details, "kick_unread") or 0,
        _number(details, "call"),
        _number(details, "call_unread") or 0,
        _number(details, "unnoticed") or 0,
        _number(details, "in_flight"),
        _number(details, "left_over") or 0,
        bool(details.get("no_kicks")),
        bool(details.get("no_calls")),
        bool(details.get("back_end_stopped")),
        bool(details.get("front_end_stopped")),
        str(details.get("request", "")),
        str(details.get("fault", "")),
        str(details.get("unreadable", "")),
    )


def _number(details: Mapping[str, str | int], key: str) -> int | None:
    value = details.get(key)
    return value if isinstance(value, int) and 0 <= value <= _MOST else None
