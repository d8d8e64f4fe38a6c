"""A migration in parts: at the source from the message that passes the log, at the destination to the first kick."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from vudissect.protocol.model import Device, Side
from vudissect.protocol.purpose import Purpose
from vudissect.session.event import MessageEvent
from vudissect.timing.values import Migration, MigrationSpan, Span

# From this frame on the name is that of the time that follows.
_SET_UP: Final[Mapping[Purpose, str]] = {
    Purpose.REPLACE_MEMORY: "memory is mapped",
    Purpose.ADD_MEMORY: "memory is mapped",
    Purpose.START_STATE_TRANSFER: "device state is loaded",
    Purpose.SET_RING_SIZE: "rings are set up",
    Purpose.SET_RING_BASE: "positions of rings are set",
    Purpose.SET_RING_ADDRESSES: "addresses of rings are set",
}
# More messages before the first kick are not kept.
_MOST: Final = 4096
_STOPS: Final = frozenset({Purpose.STOP_RING, Purpose.ENABLE_RING, Purpose.SET_STATUS})


class Point(NamedTuple):
    """Where a part begins: its name, the time and the frame."""

    name: str
    time: int
    frame: int


class Track:
    """What matters of one connection for a migration, message by message."""

    def __init__(self, number: int, began: int) -> None:
        self.number = number
        self.began = began
        self.device: Device | None = None
        self.source: list[Point] = []
        """Beginning with the message that passes the log; empty if there is none."""
        self.stopped = 0
        """The time of the message that stops the first ring after that, 0 if none did."""
        self._stopping: list[Point] = []
        self.kick: Point | None = None
        """The first kick of a ring."""
        self._before_kick: list[Point] = []
        self._last: Point | None = None

    def add(self, event: MessageEvent) -> None:
        """Enter the next message."""
        purpose, point = event.message.row.purpose, Point("", event.record.time, event.record.frame)
        self.device = event.after.guess.device
        if self.source or purpose is Purpose.SET_LOG:
            self._leave(event, purpose, point)
        if self.kick is None and event.record.sender is Side.FRONT_END:
            self._set_up(purpose, point)

    def _leave(self, event: MessageEvent, purpose: Purpose, point: Point) -> None:
        """A message of the source."""
        if not self.source:
            self.source.append(point._replace(name="the log is passed"))
        elif event.message.reply and purpose is Purpose.SET_LOG and len(self.source) == 1:
            self.source.append(point._replace(name="logging is switched on"))
        elif not self.stopped and self._is_stop(event, purpose):
            self._stop(point)
        elif self.stopped:
            self._after_stop(event, purpose, point)
        elif event.request is not None or purpose in (Purpose.ACK_FEATURES, Purpose.SET_RING_ADDRESSES):
            # The guest runs on when all of this is acknowledged.
            self._last = point

    def _is_stop(self, event: MessageEvent, purpose: Purpose) -> bool:
        if purpose not in _STOPS or event.message.reply or event.request is not None:
            return False
        fields = event.fields
        return purpose is Purpose.STOP_RING or fields.get("num", fields.get("status")) == 0

    def _stop(self, point: Point) -> None:
        if self._last is not None:
            self.source.append(self._last._replace(name="the guest runs and is copied"))
        self.stopped = point.time
        self._stopping = [point._replace(name="rings are stopped")]

    def _after_stop(self, event: MessageEvent, purpose: Purpose, point: Point) -> None:
        names = {each.name for each in self._stopping}
        if purpose is Purpose.STOP_RING and not event.message.reply and "positions of rings are read" not in names:
            self._stopping.append(point._replace(name="positions of rings are read"))
        elif purpose is Purpose.STOP_RING and event.message.reply:
            self._rest(point)
        elif purpose is Purpose.START_STATE_TRANSFER and not event.message.reply:
            self._stopping.append(point._replace(name="device state is saved"))
        elif purpose is Purpose.CHECK_STATE_TRANSFER and event.message.reply:
            self._rest(point)

    def _rest(self, point: Point) -> None:
        """The source has done its part, unless more follows."""
        name = "the rest is copied"
        self._stopping = [each for each in self._stopping if each.name != name]
        self._stopping.append(point._replace(name=name))

    def _set_up(self, purpose: Purpose, point: Point) -> None:
        """A message of the front-end before the first kick: perhaps that of a destination."""
        if purpose is Purpose.SET_KICK:
            self.kick = point
        elif len(self._before_kick) < _MOST:
            self._before_kick.append(point._replace(name=_SET_UP.get(purpose, "features are set")))

    def leaving(self) -> list[Point]:
        """The parts at the source."""
        return self.source + self._stopping

    def arriving(self, since: int) -> list[Point]:
        """The parts at the destination, if the source stopped at this time: each name where it is first."""
        found: dict[str, Point] = {}
        for point in self._before_kick:
            if point.time >= since:
                found.setdefault(point.name, point)
        return list(found.values())


def migrations(tracks: Iterable[tuple[str, Track]]) -> Iterator[Migration]:
    """Each source with its destination: of the same device, connected before the source stops, the first that kicks.

    `tracks` are the connections of all captures, with the files they are in.
    """
    known = list(tracks)
    free = [(file, track) for file, track in known if track.kick is not None and not track.source]
    free.sort(key=lambda each: each[1].kick.time if each[1].kick is not None else 0)
    for file, track in known:
        if not track.source:
            continue
        fits = [
            other
            for other in free
            if other[1].began < track.stopped and other[1].device is track.device and other[1].arriving(track.stopped)
        ]
        if fits:
            free.remove(fits[0])
        yield _joined(file, track, fits[0] if fits else None)


def _joined(file: str, source: Track, destination: tuple[str, Track] | None) -> Migration:
    points = sorted(((point, True) for point in source.leaving()), key=lambda each: each[0].time)
    if destination is None or destination[1].kick is None:
        return Migration((file, source.number), None, tuple(_parts(points, source.stopped)))
    other, track = destination
    points += [(point, False) for point in track.arriving(source.stopped)]
    points.append((destination[1].kick, False))
    points.sort(key=lambda each: each[0].time)
    return Migration((file, source.number), (other, track.number), tuple(_parts(points, source.stopped)))


def _parts(points: Sequence[tuple[Point, bool]], stopped: int) -> Iterator[MigrationSpan]:
    """Each part lasts until the next one begins; the last point is only an end."""
    for (point, at_source), (following, _) in pairwise(points):
        span = Span(point.name, point.time, following.time - point.time, point.frame, following.frame)
        yield MigrationSpan(span, bool(stopped) and point.time >= stopped, at_source)
