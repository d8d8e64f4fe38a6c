"""How long what took, for programs: one JSON object for each phase, kind of answer, reconnect and migration."""

import json
from collections.abc import Iterator
from typing import Any

from vudissect.render.format import Timed
from vudissect.render.units import unicode
from vudissect.timing.answers import BOUNDS
from vudissect.timing.values import ConnectionTimes, Latencies, Migration, PhaseTime, Times


def times_json(timed: Timed) -> Iterator[str]:
    """The lines; keys are stable, times in ns."""
    for times in timed.captures:
        yield from (
            json.dumps({"kind": "unknown", "file": unicode(times.file), "text": text}) for text in times.unknown
        )
        for connection in times.connections:
            for number, phase in enumerate(connection.phases, 1):
                last = number == len(connection.phases)
                yield json.dumps(_phase(times.file, connection, phase, complete=not (last and connection.open_end)))
            for latencies in connection.latencies:
                yield json.dumps(_latencies(times.file, latencies))
        yield from _reconnects(times)
    for migration in timed.migrations:
        yield json.dumps(_migration(migration))


def _phase(file: str, connection: ConnectionTimes, phase: PhaseTime, *, complete: bool) -> dict[str, Any]:
    span, (front_end, back_end) = phase.span, phase.waits
    return {
        "kind": "phase",
        "file": unicode(file),
        "connection": connection.number,
        "name": span.name,
        "start": span.start,
        "duration": span.duration,
        "complete": complete,
        "waiting_for_back_end": back_end,
        "waiting_for_front_end": front_end,
        "first_frame": span.first,
        "last_frame": span.last,
    }


def _latencies(file: str, latencies: Latencies) -> dict[str, Any]:
    return {
        "kind": "latency",
        "file": unicode(file),
        "connection": latencies.connection,
        "channel": latencies.channel.label,
        "from": latencies.sender.label,
        "name": latencies.name,
        "count": latencies.answers,
        "p50": latencies.p50,
        "p90": latencies.p90,
        "p99": latencies.p99,
        "max": latencies.most,
        "slowest_frame": latencies.slowest,
        "bounds": list(BOUNDS),
        "histogram": list(latencies.histogram),
    }


def _reconnects(times: Times) -> Iterator[str]:
    for each in times.reconnects:
        yield json.dumps(
            {
                "kind": "reconnect",
                "file": unicode(times.file),
                "before": each.before,
                "after": each.after,
                "frame": each.frame,
                "apart": each.apart,
                "back": each.back,
            }
        )


def _migration(migration: Migration) -> dict[str, Any]:
    destination = migration.destination
    return {
        "kind": "migration",
        "source": _place(migration.source),
        "destination": _place(destination) if destination is not None else None,
        "duration": migration.duration,
        "downtime": migration.downtime if destination is not None else None,
        "parts": [
            {
                "name": part.span.name,
                "at": "source" if part.at_source else "destination",
                "down": part.down,
                "start": part.span.start,
                "duration": part.span.duration,
                "frame": part.span.first,
            }
            for part in migration.parts
        ],
    }


def _place(place: tuple[str, int]) -> dict[str, Any]:
    return {"file": unicode(place[0]), "connection": place[1]}
