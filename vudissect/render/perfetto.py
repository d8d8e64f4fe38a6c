"""A trace for ui.perfetto.dev: tracks for sides, channels, rings and phases, flows from requests to answers, findings.

The numbers are those of fields in protos/perfetto/trace/ of Perfetto: TracePacket, TrackDescriptor, TrackEvent. A slice
of a side is a message that was passed on or, if it is an answer, the time since its request.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final

from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Blame, Finding
from vudissect.protocol.model import Channel, Side
from vudissect.render.protobuf import fixed64, message, string, uint
from vudissect.render.units import printable, unicode
from vudissect.session.event import Event, MessageEvent
from vudissect.timing.values import Migration

_PACKET: Final = 1
_TIMESTAMP, _SEQUENCE, _EVENT, _SEQUENCE_FLAGS, _TRACK = 8, 10, 11, 13, 60
_STATE_CLEARED: Final = 1
_UUID, _TRACK_NAME, _PARENT = 1, 2, 5
_ANNOTATION, _TYPE, _TRACK_UUID, _CATEGORY, _NAME, _FLOW = 4, 9, 11, 22, 23, 47
_ABOUT_NUMBER, _ABOUT_TEXT, _ABOUT_NAME = 3, 6, 10

_SIDES: Final = {Blame.FRONT_END: Side.FRONT_END.label, Blame.BACK_END: Side.BACK_END.label}
_FINDINGS: Final = "findings"


class _Type(IntEnum):
    BEGIN = 1
    END = 2
    INSTANT = 3


class PerfettoTrace:
    """Writes a trace of one capture after another."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._tracks: dict[tuple[object, ...], int] = {}
        # Until when a track has slices: those of one track must not overlap.
        self._until: dict[int, int] = {}
        self._capture = 0
        self._file = ""
        # Tracks with a slice that has not ended.
        self._rings: dict[tuple[int, int], int] = {}
        self._phases: dict[int, int] = {}
        self._latest = 0

    def begin(self, file: str) -> None:
        """A capture follows."""
        self._file = printable(unicode(file))
        self._capture += 1

    def event(self, event: Event, findings: Sequence[Finding]) -> None:
        """The next event of the capture, and its findings."""
        record = event.record
        self._latest = max(self._latest, record.time)
        if record.connection:
            if event.message is not None:
                self._message(event)
            self._change_rings(event)
            self._change_phase(event)
        self._add_findings(findings, record.time)

    def end(self, findings: Sequence[Finding]) -> None:
        """The capture ends, with these findings at its end."""
        for track in (*self._rings.values(), *self._phases.values()):
            self._add(track, self._latest, _Type.END)
        self._rings, self._phases = {}, {}
        self._add_findings(findings, self._latest)

    def migration(self, migration: Migration) -> None:
        """The parts of a migration, on a track of their own."""
        track = self._track(("migration", *migration.source), "migration", 0)
        for part in migration.parts:
            start, name = part.span.start, f"{part.span.name}{' (down)' if part.down else ''}"
            self._add(track, start, _Type.BEGIN, string(_NAME, name))
            self._add(track, start + part.span.duration, _Type.END)

    def _message(self, event: MessageEvent) -> None:
        record, request, latency = event.record, event.request, event.latency
        channel = record.sender.label
        if record.channel is not Channel.MAIN:
            channel += f", {record.channel.label} channel"
        track = self._track_of(record.connection, channel)
        if request is not None and latency is not None:
            start, end, flow = record.time - latency, record.time, request.frame
        else:
            start, end, flow = record.time, record.time + max(0, record.forwarded - record.received), record.frame
        start = max(start, self._until.get(track, 0))
        end = self._until[track] = max(start, end)
        parts = [string(_NAME, event.name), string(_CATEGORY, record.channel.label), _number("frame", record.frame)]
        if request is not None or event.awaits:
            parts.append(fixed64(_FLOW, self._capture << 48 | flow))
        self._add(track, start, _Type.BEGIN, *parts)
        self._add(track, end, _Type.END)

    def _change_rings(self, event: Event) -> None:
        """Begin and end the times in which rings run."""
        record, rings = event.record, event.after.rings
        closed = record.kind is RecordKind.CONNECTION_CLOSED
        if event.before.rings is rings and not closed:
            return
        for index in rings:
            key = record.connection, index
            ring = rings[index]
            if ring.running and not closed and key not in self._rings:
                self._rings[key] = track = self._track_of(record.connection, f"ring {index}")
                self._add(track, record.time, _Type.BEGIN, string(_NAME, f"runs, size {ring.size or 'unknown'}"))
            elif (closed or not ring.running) and key in self._rings:
                self._add(self._rings.pop(key), record.time, _Type.END)

    def _change_phase(self, event: Event) -> None:
        """Begin and end phases of the connection."""
        number, phase, time = event.record.connection, event.after.phase, event.record.time
        if number in self._phases:
            if event.before.phase is phase:
                return
            self._add(self._phases.pop(number), time, _Type.END)
        if event.record.kind is not RecordKind.CONNECTION_CLOSED:
            self._phases[number] = track = self._track_of(number, "phases")
            self._add(track, time, _Type.BEGIN, string(_NAME, phase.value))

    def _add_findings(self, findings: Sequence[Finding], time: int) -> None:
        for finding in findings:
            track = self._track_of(finding.connection, _SIDES.get(finding.blame, _FINDINGS))
            texts = {"severity": finding.severity.value, "blame": finding.blame.value, "message": finding.message}
            about = [_text(name, text) for name, text in texts.items()]
            self._add(track, time, _Type.INSTANT, string(_NAME, finding.rule), string(_CATEGORY, "finding"), *about)

    def _add(self, track: int, time: int, kind: _Type, *parts: bytes) -> None:
        event = message(_EVENT, uint(_TYPE, kind), uint(_TRACK_UUID, track), *parts)
        self._packet(uint(_TIMESTAMP, time), event)

    def _packet(self, *parts: bytes) -> None:
        self._write(message(_PACKET, *parts, uint(_SEQUENCE, 1)))

    def _track_of(self, connection: int, name: str) -> int:
        """A track of a connection, which is itself one."""
        key = self._capture, connection
        known = self._tracks.get((*key, name))
        if known is not None:
            return known
        return self._track((*key, name), name, self._track(key, f"{self._file}, connection {connection}", 0))

    def _track(self, key: tuple[object, ...], name: str, parent: int) -> int:
        """The number of a track; its description comes before its first use."""
        known = self._tracks.get(key)
        if known is not None:
            return known
        first = not self._tracks
        number = self._tracks[key] = len(self._tracks) + 1
        parts = [uint(_UUID, number), string(_TRACK_NAME, name), *([uint(_PARENT, parent)] if parent else [])]
        cleared = [uint(_SEQUENCE_FLAGS, _STATE_CLEARED)] if first else []
        self._packet(message(_TRACK, *parts), *cleared)
        return number


def _text(name: str, text: str) -> bytes:
    return message(_ANNOTATION, string(_ABOUT_TEXT, printable(text)), string(_ABOUT_NAME, name))


def _number(name: str, number: int) -> bytes:
    return message(_ANNOTATION, uint(_ABOUT_NUMBER, number), string(_ABOUT_NAME, name))
