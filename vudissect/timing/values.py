"""The values: durations and times in ns, times since the epoch. None is what the capture does not show."""

from collections.abc import Sequence
from typing import NamedTuple

from vudissect.protocol.model import Channel, Device, Side


class Latencies(NamedTuple):
    """How long one side took for its answers to one message.

    `slowest` is the frame of the slowest answer. `histogram` counts them in half decades: below 1 us, from there on
    below 3.16 us, below 10 us, and so on; the last number counts all others.
    """

    connection: int
    channel: Channel
    sender: Side
    name: str
    answers: int
    p50: int
    p90: int
    p99: int
    most: int
    slowest: int
    histogram: tuple[int, ...]


class Span(NamedTuple):
    """A part of the time, from the frame in which it begins to that in which the next one begins."""

    name: str
    start: int
    duration: int
    first: int
    last: int


class PhaseTime(NamedTuple):
    """A phase of a connection, and how long in it at least one request waited for an answer of either side."""

    span: Span
    waits: tuple[int, int]


class ConnectionTimes(NamedTuple):
    """The times of one connection; `whole` if its beginning was recorded, `open_end` if its end was not.

    `names` are the programs by `Side`, "" if unknown. `label` is its name for people, with the id of its device.
    """

    number: int
    label: str
    names: tuple[str, str]
    device: Device | None
    whole: bool
    open_end: bool
    phases: tuple[PhaseTime, ...]
    latencies: tuple[Latencies, ...]
    more_phases: int = 0


class Reconnect(NamedTuple):
    """A connection that replaced one that was closed.

    `apart` is the time between the two; `back` is the time from the end of the one until a ring runs again, None if
    none did.
    """

    before: int
    after: int
    frame: int
    apart: int
    back: int | None


class MigrationSpan(NamedTuple):
    """A part of a migration; `down` if no side processes rings meanwhile, `at_source` if it begins at the source."""

    span: Span
    down: bool
    at_source: bool


class Migration(NamedTuple):
    """A migration: its parts, each beginning where the one before ends.

    `destination` is the file and the connection in it; None if no capture has it.
    """

    source: tuple[str, int]
    destination: tuple[str, int] | None
    parts: tuple[MigrationSpan, ...]

    @property
    def duration(self) -> int:
        """From the message that passes the log to the first kick of the destination, if that is known."""
        return sum(each.span.duration for each in self.parts)

    @property
    def downtime(self) -> int:
        """From the message that stops the first ring of the source to the first kick of the destination."""
        return sum(each.span.duration for each in self.parts if each.down)


class Times(NamedTuple):
    """The times of a capture; `unknown` is what it does not have, in words."""

    file: str
    connections: tuple[ConnectionTimes, ...]
    total: int
    reconnects: tuple[Reconnect, ...]
    unknown: Sequence[str] = ()
