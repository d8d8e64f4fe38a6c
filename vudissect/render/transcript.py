"""The transcript: one line per message, stable enough to compare and narrow enough to paste.

frame  seconds  who  name and contents  descriptors  [request and latency]

What all messages of a form have in common is computed once, for the first of them (`_Head`). Most messages are regular:
they have a form, no descriptors or marks, and change nothing; their line has no other parts than these.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from vudissect.capture.observation import observation_of
from vudissect.capture.record import Record, RecordKind
from vudissect.lint.finding import Finding, Severity
from vudissect.protocol.marks import MARK_TEXTS
from vudissect.protocol.model import Channel, Layout, Row
from vudissect.protocol.table import UPSTREAM
from vudissect.protocol.usual import is_late
from vudissect.render.descriptors import descriptor_text
from vudissect.render.detail import detail_lines
from vudissect.render.findings import finding_text
from vudissect.render.rings import observation_text
from vudissect.render.style import Style
from vudissect.render.units import duration_text, hex_text, printable
from vudissect.render.values import describe
from vudissect.session.dialect import Verdict
from vudissect.session.event import ConnectionEvent, Event, Kind, MessageEvent
from vudissect.session.pairing import Request
from vudissect.session.state import State
from vudissect.session.waits import Wait
from vudissect.wire.codec import Form, WireMessage
from vudissect.wire.header import NEED_REPLY
from vudissect.wire.layout import Values

_MALFORMED_BYTES = 32
_INDENT = " " * 24

# Indexed by `Side` and by `Channel`.
_ARROWS = ("F>B", "B>F", "---")
_CHANNELS = ("", " backend:", " gpu:")
_REPORTED_MARKS = sum(MARK_TEXTS)


# Process ids and the addresses of regions in the front-end's process differ in every run.
_OF_THE_RUN = re.compile(r" \(pid \d+\)| at 0x[0-9a-f]+")


# Messages without a form are described by row, layout and direction alone, whatever their size.
_MessageKind = Form | tuple[Row, Layout, bool]


class _Head(NamedTuple):
    """What all messages with the same row, layout and direction have in common."""

    start: str
    """A template for the frame up to the name."""
    describe: Callable[[Values, State], str] | None
    deviation: str
    end: str
    """What comes after the contents of a regular message."""


class Transcript:
    """Makes the line (or lines) of each event.

    `verbose` adds every field below the line, and findings that are only informative; without `times` the text does
    not differ from run to run. `verdict` returns why a connection is read in its dialect.
    """

    def __init__(
        self,
        style: Style,
        *,
        verbose: bool = False,
        times: bool = True,
        verdict: Callable[[int], Verdict | None] = lambda _: None,
    ) -> None:
        self._style = style
        self._verbose = verbose
        self._times = times
        self._heads: dict[_MessageKind, _Head] = {}
        self._verdict = verdict
        self._protocol = UPSTREAM
        self._dim, self._undim = style.dim("|").split("|")
        # A template: an f-string takes twice as long for numbers of fixed width. The last part is the connection.
        self._start = f"{self._dim}{'%6d %11.6f ' if times else '%6d '}{self._undim}%s"

    def text(self, event: Event, findings: Sequence[Finding] = ()) -> str:
        """The lines of one event, each with its newline, then those of its findings."""
        if event.message is None:
            line = self._event_line(event)
        else:
            line = self._message_line(event)
            if self._verbose:
                line = "\n".join([line, *(_INDENT + detail for detail in detail_lines(event))])
        if event.after.protocol is not self._protocol:
            line = "\n".join([line, *(_INDENT + text for text in self._dialect_lines(event.after))])
        if event.message is None and event.unanswered:
            return f"{line}\n{self.unanswered(event.unanswered, findings)}{self.findings(findings, event.record.frame)}"
        return f"{line}\n{self.findings(findings, event.record.frame)}" if findings else f"{line}\n"

    def findings(self, findings: Sequence[Finding], frame: int | None = None) -> str:
        """Lines for the findings about the message of a frame, or about the end of the capture."""
        return "".join(
            f"{_INDENT}! {finding_text(finding, self._style, frame=frame)}\n"
            for finding in findings
            if self._shows(finding)
        )

    def _dialect_lines(self, connection: State) -> Iterator[str]:
        """The dialect from here on, and the evidence for it."""
        self._protocol = connection.protocol
        verdict = self._verdict(connection.number)
        if verdict is not None and verdict.dialect.protocol is connection.protocol:
            from vudissect.render.dialects import verdict_lines

            yield from verdict_lines(verdict)
        else:
            yield f"dialect: {connection.protocol.key}"

    def unanswered(self, requests: tuple[Request, ...], findings: Sequence[Finding] = ()) -> str:
        """Lines for the requests that were still pending at the end, except those that have a finding."""
        shown = (finding for finding in findings if self._shows(finding))
        reported = {frame for finding in shown for frame in (finding.frame, *finding.frames)}
        return "".join(self._unanswered(request) + "\n" for request in requests if request.frame not in reported)

    def waiting(self, waits: Iterable[Wait]) -> str:
        """Lines for requests that wait for their answer, and may go on to do so."""
        return "".join(_INDENT + self._style.bad(_waiting_text(wait)) + "\n" for wait in waits)

    def _shows(self, finding: Finding) -> bool:
        return self._verbose or finding.severity is not Severity.INFO

    def _place(self, event: Event) -> tuple[int | float | str, ...]:
        """The values for the template at the start of a line."""
        record = event.record
        number = record.connection
        connection = f" c{number}" if number > 1 else ""
        return (record.frame, event.elapsed / 1e9, connection) if self._times else (record.frame, connection)

    def _message_line(self, event: MessageEvent) -> str:
        message = event.message
        kind = message.form or (message.row, message.layout, message.reply)
        start, describe_contents, deviation, end = self._heads.get(kind) or self._new_head(event.record, message, kind)
        line = start % self._place(event)
        if describe_contents is not None and (contents := describe_contents(message.values, event.after)):
            line = f"{line} {contents if self._times else _OF_THE_RUN.sub('', contents)}"
        if message.form is None or event.descriptors or event.before is not event.after or event.record.marks:
            line = " ".join([line + deviation, *self._irregular(event)])
        elif end:
            line += end
        return f"{line} {self._answered(event)}" if message.reply else line

    def _new_head(self, record: Record, message: WireMessage, kind: _MessageKind) -> _Head:
        row, layout = message.row, message.layout
        name = message.name
        styled = f"{self._style.reply(name)} ->" if message.reply else self._style.name(name)
        deviation = f" ({layout.words})" if layout.deviation else ""
        head = _Head(
            f"{self._start} {_ARROWS[record.sender]}{_CHANNELS[record.channel]} {styled}",
            describe(layout, row.purpose, reply=message.reply) if message.fits else None,
            deviation,
            deviation + (" need_reply" if _wants_reply(record, message) else ""),
        )
        if row.known:
            self._heads[kind] = head
        return head

    def _irregular(self, event: MessageEvent) -> Iterator[str]:
        """What may come after the contents, except for the request that a reply answers."""
        record, message = event.record, event.message
        if record.is_cut:
            style = self._style.bad if event.kind is Kind.MALFORMED else self._style.dim
            yield style(f"CUT, {len(record.data)} of {record.length} bytes were recorded")
        elif event.kind is Kind.MALFORMED:
            yield self._style.bad(f"MALFORMED, {message.problem}:") + f" {hex_text(message.data, _MALFORMED_BYTES)}"
        for named in event.descriptors:
            yield descriptor_text(named, record.frame)
        if event.replaced:
            yield f"(was {event.replaced})"
        if _wants_reply(record, message):
            yield "need_reply"
        if int(record.marks) & _REPORTED_MARKS:
            yield self._style.bad(", ".join(text for mark, text in MARK_TEXTS.items() if mark & record.marks))

    def _answered(self, event: MessageEvent) -> str:
        request, latency = event.request, event.latency
        if request is None:
            return self._style.dim("[answers nothing that was asked]")
        took = f" +{duration_text(latency)}" if self._times and latency is not None else ""
        if took and _is_late(event, request):
            return self._style.bad(f"[#{request.frame}{took}, late]")
        return f"{self._dim}[#{request.frame}{took}]{self._undim}"

    def _unanswered(self, request: Request) -> str:
        name = request.name
        return _INDENT + self._style.bad(f"!{_CHANNELS[request.channel]} {name} (#{request.frame}) was never answered")

    def _event_line(self, event: ConnectionEvent) -> str:
        make = _EVENTS.get(event.record.kind, _unknown_event)
        text = make(event) if self._times else _OF_THE_RUN.sub("", make(event))
        start = self._start % self._place(event)
        return f"{start} {_ARROWS[event.record.sender]} {self._style.dim(printable(text))}"


def _is_late(event: MessageEvent, request: Request) -> bool:
    return is_late(request.row, event.after.programs[event.record.sender], event.latency or 0)


def _waiting_text(wait: Wait) -> str:
    connection = f" c{wait.connection}" if wait.connection > 1 else ""
    return f"!{connection}{_CHANNELS[wait.request.channel]} still waiting {wait.text}"


def _wants_reply(record: Record, message: WireMessage) -> bool:
    return bool(message.flags & NEED_REPLY) and not message.reply and record.channel is not Channel.GPU


def _peer(event: ConnectionEvent, side: str) -> str:
    details = event.record.details
    command = details.get(f"{side}_command") or "?"
    pid = details.get(f"{side}_pid")
    return f"{command} (pid {pid})" if pid else str(command)


def _connection_opened(event: ConnectionEvent) -> str:
    front_end, back_end = _peer(event, "front_end"), _peer(event, "back_end")
    device = f", device {event.record.device}" if event.record.device else ""
    return f"connection {event.record.connection}: front-end {front_end}, back-end {back_end}{device}"


def _connection_closed(event: ConnectionEvent) -> str:
    details = event.record.details
    how = f" ({details['how']})" if details.get("how") else ""
    return f"connection {event.record.connection} closed by the {details.get('by', '?')}{how}"


def _channel_opened(event: ConnectionEvent) -> str:
    return f"{event.record.channel.label} channel opened"


def _channel_closed(event: ConnectionEvent) -> str:
    details = event.record.details
    how = f" ({details['how']})" if details.get("how") else ""
    return f"{event.record.channel.label} channel closed by the {details.get('by', '?')}{how}"


def _gap(event: ConnectionEvent) -> str:
    details = event.record.details
    return f"{details.get('messages', '?')} messages are missing here: {details.get('reason', '?')}"


def _note(event: ConnectionEvent) -> str:
    return str(event.record.details.get("text", ""))


def _ring_observed(event: ConnectionEvent) -> str:
    seen = observation_of(event.record.details)
    return observation_text(seen) if seen is not None else _unknown_event(event)


def _unknown_event(event: ConnectionEvent) -> str:
    return " ".join(f"{key}={value}" for key, value in event.record.details.items())


_EVENTS = {
    RecordKind.CONNECTION_OPENED: _connection_opened,
    RecordKind.CONNECTION_CLOSED: _connection_closed,
    RecordKind.CHANNEL_OPENED: _channel_opened,
    RecordKind.CHANNEL_CLOSED: _channel_closed,
    RecordKind.GAP: _gap,
    RecordKind.NOTE: _note,
    RecordKind.RING_OBSERVED: _ring_observed,
}
