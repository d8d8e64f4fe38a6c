"""The times of captures and conversations, and the moments of a migration that they must agree with."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vudissect.analysis import Analysis, read
from vudissect.capture.record import Record
from vudissect.timing.collect import Collector
from vudissect.timing.migration import Track, migrations
from vudissect.timing.values import Migration, Times

FILE = "talk.pcapng"


def collected(records: Iterable[Record]) -> Collector:
    """What was collected of all events."""
    collector = Collector()
    for _ in collector.watch(Analysis(records, rules=())):
        pass
    return collector


def times_of(records: Iterable[Record]) -> Times:
    return collected(records).finish(FILE, ())


def tracks_of(*captures: Iterable[Record]) -> list[tuple[str, Track]]:
    return [
        (f"{number}.pcapng", track) for number, records in enumerate(captures) for track in collected(records).tracks()
    ]


class Joined(NamedTuple):
    """A migration, and when the log is passed, the source's first ring is stopped, the destination is kicked."""

    migration: Migration
    begin: int
    stop: int
    kick: int


def joined(source: Path, destination: Path) -> Joined:
    (migration,) = migrations(tracks_of(read(source), read(destination)))
    begin = _first(source, "SET_LOG_BASE")
    stops = [_first(source, "SET_VRING_ENABLE", begin, num=0), _first(source, "GET_VRING_BASE", begin)]
    return Joined(migration, begin, min(stops), _first(destination, "SET_VRING_KICK"))


def _first(capture: Path, name: str, since: int = 0, **fields: int) -> int:
    """The time of the first message of this name, with these values."""
    return next(
        event.record.time
        for event, _ in Analysis(read(capture), rules=())
        if event.name == name and event.record.time >= since and event.fields.items() >= fields.items()
    )
