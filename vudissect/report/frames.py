"""What the page of a session knows of each frame: a row of the diagram, and the details of the row.

Rows are all read when the page opens, so they are short. Details are in blocks that are read when a frame in them is
selected: its fields and bytes, and how the state changes. A block begins with the whole states, so no other is needed.
Values are read when the filter asks for a field.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zlib import compress

from vudissect.capture.record import RecordKind
from vudissect.compare.exchange import is_traffic
from vudissect.filter.fields import rings
from vudissect.lint.finding import Finding
from vudissect.render.config import carried_config
from vudissect.render.detail import config_lines, descriptor_line, field_lines
from vudissect.render.ring_table import Sample, ring_title, sample_of
from vudissect.render.state_json import state_fields
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.render.units import printable
from vudissect.report.filterable import KINDS, Fields
from vudissect.report.parts import Chunk
from vudissect.session.event import Event, MessageEvent
from vudissect.session.pairing import Pairing
from vudissect.session.state import State

_MOST_BYTES = 256
_MOST_FIELDS = 64
_MOST_RINGS = 64
# JavaScript has no larger numbers.
_LARGEST = (1 << 53) - 1
# What a line of the transcript begins with; the diagram has its own place for it.
_START = re.compile(r"^ *\d+ +\d+\.\d+(?: +c\d+)? +(?:F>B|B>F|---)(?: backend:| gpu:)? ")

_TRAFFIC, _OWED, _FD, _FORGETS = 1, 2, 4, 8
# After these no request waits for an answer: of their channel, or of all if it is the main channel.
_FORGETTING = frozenset(
    {RecordKind.CONNECTION_OPENED, RecordKind.CONNECTION_CLOSED, RecordKind.CHANNEL_CLOSED, RecordKind.GAP}
)
# Requests that wait are found by the page, as any number may.
_NOTHING_WAITS = Pairing()

Patch = dict[str, Any]
"""The keys of a state that change; where both values are objects, only the keys of theirs that change."""


class Block(NamedTuple):
    """The rows of some frames, their details, and their values for the filter: compressed with zlib, in base64."""

    frames: int
    rows: str
    details: str
    values: str


class History:
    """What was seen in a ring, over time."""

    def __init__(self) -> None:
        self.title = ""
        self.seen: list[list[int | None]] = []
        """Frame, avail, used, pending, kick, call."""

    def add(self, sample: Sample) -> None:
        """Another observation."""
        seen = sample.seen
        # The size may be known later than the first observation.
        self.title = ring_title(sample)
        self.seen.append([sample.frame, seen.avail, seen.used, seen.pending, seen.kick, seen.call])


class Frames:
    """Makes the blocks of a page, in order; the rest is what they refer to, and complete after the last."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        """Names of the messages that occurred, with their old names."""
        self.findings: list[Finding] = []
        """The findings that rows refer to, by their place."""
        self.fields = Fields()
        """The fields that values belong to."""
        self.rings: dict[tuple[int, int], History] = {}
        """What was seen in each ring of each connection."""
        self._transcript = Transcript(Style(False))
        self._seen: dict[int, tuple[State, Patch]] = {}

    def block(self, chunk: Chunk) -> Block:
        """The block of some events that follow each other."""
        first = {event.record.connection: event.before for event, _ in reversed(chunk.judged)}
        self._seen = {number: (state, keyed(state)) for number, state in first.items() if number in chunk.open}
        before = {number: fields for number, (_, fields) in self._seen.items()}
        rows, details, values = [], [], []
        for event, findings in chunk.judged:
            rows.append(self._row(event, findings))
            details.append(self._details(event))
            values.append(self.fields.values(event) or 0)
            self._observe(event)
        return Block(len(rows), packed(rows), packed([before, details]), packed(values))

    def _observe(self, event: Event) -> None:
        sample = sample_of(event)
        if sample is not None:
            self.rings.setdefault(sample.ring, History()).add(sample)

    def _row(self, event: Event, findings: Sequence[Finding]) -> list[Any]:
        record, message = event.record, event.message
        flags, name = _FORGETS if record.kind in _FORGETTING else 0, ""
        about: list[int] = []
        if message is not None:
            name = event.name
            if name not in self.names:
                known = message.row
                self.names[name] = [str(message.id), *([known.name, *known.aliases] if known.known else ())]
            owed = event.awaits and event.before.owes_reply(message.row, message.flags)
            flags = (_TRAFFIC if is_traffic(message.row) else 0) | (_OWED if owed else 0)
            flags |= _FD if event.descriptors else 0
            about = list(dict.fromkeys(rings(event)))[:_MOST_RINGS]
        text = _START.sub("", self._transcript.line(event))
        if name and text.startswith(name):
            text = text[len(name) :].lstrip()
        places = range(len(self.findings), len(self.findings) + len(findings))
        self.findings += findings
        row: list[Any] = [
            record.frame,
            event.elapsed,
            int(record.sender),
            int(record.channel),
            record.connection,
            KINDS.index(event.kind),
            name,
            printable(text),
            event.request.frame if event.request is not None else 0,
            -1 if event.latency is None else event.latency,
            flags,
            about or 0,
            list(places) or 0,
        ]
        while row[-1] == 0:
            row.pop()
        return row

    def _details(self, event: Event) -> list[Any]:
        patch = self._change(event) or 0
        if event.message is None:
            return [0, 0, 0, patch]
        message = event.message
        data = message.data[:_MOST_BYTES]
        fields: list[list[Any]] = []
        for line in field_lines(event):
            if len(fields) == _MOST_FIELDS:
                fields.append(["… more fields: vudissect show -v has them", 0, 0])
                break
            fields.append([printable(line.text), line.start, line.size])
        return [[data.hex(), len(message.data)], fields, _notes(event), patch]

    def _change(self, event: Event) -> Patch:
        """How the state of its connection is different after this event."""
        number = event.record.connection
        if not number:
            return {}
        seen = self._seen.get(number)
        now = seen[1] if seen is not None and seen[0] is event.after else keyed(event.after)
        if event.record.kind is RecordKind.CONNECTION_CLOSED:
            self._seen.pop(number, None)
        else:
            self._seen[number] = event.after, now
        return now if seen is None else difference(seen[1], now)


def _notes(event: MessageEvent) -> list[str]:
    """What there is besides fields: configuration space, descriptors, remarks, and the changes in words."""
    message = event.message
    notes = [descriptor_line(named) for named in event.descriptors]
    if config := carried_config(message):
        notes += config_lines(event.after, *config)
    if message.layout.deviation:
        notes.append(f"note: {message.layout.deviation}")
    if message.problem:
        notes.append(f"malformed: {message.problem}")
    return [printable(note) for note in notes[:_MOST_FIELDS]]


def keyed(state: State) -> Patch:
    """A state whose rings and regions are by number, so that a change of one is small; without what waits."""
    fields = state_fields(state, _NOTHING_WAITS)
    del fields["waiting"]
    return fields | {
        "rings": {str(ring["index"]): ring for ring in fields["rings"]},
        "memory": {str(region["number"]): region for region in fields["memory"]},
    }


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Patch:
    """What to lay over `before` to get `after`; what is no longer there becomes null."""
    patch: Patch = {key: None for key in before if key not in after and before[key] is not None}
    for key, value in after.items():
        known = before.get(key)
        if value == known and key in before:
            continue
        patch[key] = difference(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return patch


def exact(value: Any) -> Any:
    """The same with numbers that JavaScript does not have as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        if -_LARGEST <= value <= _LARGEST:
            return value
        return f"{value:#x}" if value > 0 else str(value)
    if isinstance(value, dict):
        return {str(key): exact(each) for key, each in value.items()}
    return [exact(each) for each in value] if isinstance(value, list | tuple) else value


def packed(value: Any) -> str:
    """A value as the page has it."""
    text = json.dumps(exact(value), separators=(",", ":"))
    return b64encode(compress(text.encode(), 6)).decode()
