"""The transcript: one line per message, stable enough to compare and narrow enough to paste.

frame  seconds  who  name and contents  descriptors  [request and latency]

What all messages of a form have in common is computed once, for the first of them (`_Head`). Most messages are regular:
they have a form, no descriptors or marks, and change nothing; their line has no other parts than these.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from vudissect.capture.record import Record
from vudissect.lint.finding import Finding, Severity
from vudissect.protocol.marks import MARK_WORDS, Mark
from vudissect.protocol.model import Channel, Layout, Row
from vudissect.protocol.purpose import FEATURE_LISTS
from vudissect.protocol.usual import is_late
from vudissect.render.descriptors import descriptor_text
from vudissect.render.detail import detail_lines
from vudissect.render.findings import signed_text
from vudissect.render.notices import Notices
from vudissect.render.reading import Reading
from vudissect.render.style import Style
from vudissect.render.units import duration_text, printable, whole_hex_text
from vudissect.render.values import describe
from vudissect.render.wrap import wrapped
from vudissect.session.dialect import Verdict
from vudissect.session.event import ConnectionEvent, Event, Kind, MessageEvent
from vudissect.session.pairing import Request
from vudissect.session.state import State
from vudissect.session.waits import Wait
from vudissect.wire.codec import Form, WireMessage
from vudissect.wire.header import NEED_REPLY, REPLY
from vudissect.wire.layout import Values

# More than any message of the protocol has but pixels; garbage could have any length.
_MALFORMED_BYTES = 512
_INDENT = " " * 24
_HANGING = len(_INDENT) + 2

# Indexed by `Side` and by `Channel`.
_ARROWS = ("F>B", "B>F", "---")
_CHANNELS = ("", " backend:", " gpu:")
_WORTH_SAYING = int(sum(MARK_WORDS))
_NOT_WRONG = int(Mark.SPLIT | Mark.EARLIER)
_EARLIER = int(Mark.EARLIER)

# A longer list that is repeated is replaced by a reference to the first one.
_SHORT_LIST = 20

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
    is_list: bool
    """Whether the contents are a list of features."""


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
        self._reading = Reading(verdict, verbose=verbose)
        self._notices = Notices()
        self._latest: State | None = None
        self._lists: dict[_MessageKind, tuple[Values, str, int]] = {}
        self._dim, self._undim = style.dim("|").split("|")
        # A template: an f-string takes twice as long for numbers of fixed width. The last part is the connection.
        self._start = f"{self._dim}{'%6d %11.6f ' if times else '%6d '}{self._undim}%s"

    def text(self, event: Event, findings: Sequence[Finding] = ()) -> str:
        """The lines of one event, each with its newline, then those of its findings.

        What is repeated from an earlier file has lines only if they are `verbose`.
        """
        marks = event.record.marks
        if marks and not self._verbose and int(marks) & _EARLIER:
            return self._repeated(event)
        if event.message is None:
            line, unanswered = self._event_line(event), event.unanswered
        else:
            line, unanswered = self._message_line(event, short=True), ()
            if self._verbose:
                line = "\n".join([line, *(_INDENT + detail for detail in detail_lines(event))])
        if event.after is not self._latest or event.record.marks or self._reading.big_endian:
            self._latest = event.after
            if changes := self._reading.lines(event):
                line = "".join(f"{self._style.dim(printable(each))}\n" for each in changes) + line
        text = f"{line}\n"
        if unanswered:
            text += self.unanswered(unanswered, findings)
        if self._style.width:
            text = wrapped(text, self._style.width, _HANGING)
        return text + self.findings(findings, event.record.frame) if findings else text

    def _repeated(self, event: Event) -> str:
        """How it is read from here on, if that has changed."""
        if event.message is not None and event.descriptors:
            self._notices.see(event)
        self._latest = event.after
        text = "".join(f"{self._style.dim(printable(each))}\n" for each in self._reading.lines(event))
        return wrapped(text, self._style.width, _HANGING) if text else ""

    def line(self, event: Event) -> str:
        """The line of one event, alone and unbroken; it refers to no list of another."""
        return self._event_line(event) if event.message is None else self._message_line(event, short=False)

    def findings(self, findings: Sequence[Finding], frame: int | None = None) -> str:
        """Lines for the findings about the message of a frame, or about the end of the capture."""
        if not findings:
            return ""
        text = "".join(
            f"{_INDENT}{signed_text(finding, self._style, frame=frame)}\n"
            for finding in findings
            if self._shows(finding)
        )
        return wrapped(text, self._style.width, _HANGING)

    def unanswered(self, requests: tuple[Request, ...], findings: Sequence[Finding] = ()) -> str:
        """Lines for the requests that were still pending at the end, except those that have a finding."""
        shown = (finding for finding in findings if self._shows(finding))
        reported = {frame for finding in shown for frame in (finding.frame, *finding.frames)}
        text = "".join(self._unanswered(request) + "\n" for request in requests if request.frame not in reported)
        return wrapped(text, self._style.width, _HANGING)

    def waiting(self, waits: Iterable[Wait]) -> str:
        """Lines for requests that wait for their answer, and may go on to do so."""
        text = "".join(_INDENT + self._style.bad(_waiting_text(wait)) + "\n" for wait in waits)
        return wrapped(text, self._style.width, _HANGING)

    def _shows(self, finding: Finding) -> bool:
        return self._verbose or finding.severity is not Severity.INFO

    def _place(self, event: Event) -> tuple[int | float | str, ...]:
        """The values for the template at the start of a line."""
        record = event.record
        number = record.connection
        connection = f" c{number}" if number > 1 else ""
        return (record.frame, event.elapsed / 1e9, connection) if self._times else (record.frame, connection)

    def _message_line(self, event: MessageEvent, *, short: bool) -> str:
        message = event.message
        kind = message.form or (message.row, message.layout, message.reply)
        head = self._heads.get(kind) or self._new_head(event.record, message, kind)
        start, describe_contents, deviation, end, is_list = head
        line = start % self._place(event)
        if describe_contents is not None and (contents := describe_contents(message.values, event.after)):
            if is_list and short:
                contents = self._referred(kind, message.values, contents, event.record.frame)
            line = f"{line} {contents if self._times else _OF_THE_RUN.sub('', contents)}"
        if message.form is None or event.descriptors or event.before is not event.after or event.record.marks:
            line = " ".join([line + deviation, *self._irregular(event)])
        elif end:
            line += end
        return f"{line} {self._answered(event)}" if message.reply else line

    def _referred(self, kind: _MessageKind, values: Values, contents: str, frame: int) -> str:
        """A list of features, or the frame in which the same one was shown."""
        known = self._lists.get(kind)
        if known is not None and known[:2] == (values, contents) and len(contents) > _SHORT_LIST:
            return f"as in #{known[2]}"
        self._lists[kind] = values, contents, frame
        return contents

    def _new_head(self, record: Record, message: WireMessage, kind: _MessageKind) -> _Head:
        row, layout = message.row, message.layout
        name = message.name
        styled = f"{self._style.reply(name)} ->" if message.reply else self._style.name(name)
        deviation = f" ({layout.words})" if layout.deviation else ""
        head = _Head(
            f"{self._start} {_ARROWS[record.sender]}{_CHANNELS[record.channel]} {styled}",
            describe(layout, row.purpose, reply=message.reply) if message.fits else None,
            deviation,
            "".join(f" {word}" for word in (deviation.strip(), *_header_words(record, message)) if word),
            row.purpose in FEATURE_LISTS,
        )
        if row.known:
            self._heads[kind] = head
        return head

    def _irregular(self, event: MessageEvent) -> Iterator[str]:
        """What may come after the contents, except for the request that a reply answers."""
        record, message = event.record, event.message
        if record.is_named:
            yield self._style.dim("payload unknown")
        elif record.is_cut:
            style = self._style.bad if event.kind is Kind.MALFORMED else self._style.dim
            yield style(f"CUT, {len(record.data)} of {record.length} bytes were recorded")
        elif event.kind is Kind.MALFORMED:
            yield (
                self._style.bad(f"MALFORMED, {message.problem}:") + f" {whole_hex_text(message.data, _MALFORMED_BYTES)}"
            )
        if event.descriptors:
            self._notices.see(event)
        for place, named in enumerate(event.descriptors):
            # An object that is passed twice in a message is described once.
            yield named.name if named in event.descriptors[:place] else descriptor_text(named, record.frame)
        if event.replaced:
            yield f"(was {event.replaced})"
        yield from _header_words(record, message)
        if message.error and message.reply:
            yield self._style.bad("SENT BACK")
        if int(record.marks) & _WORTH_SAYING:
            style = self._style.bad if int(record.marks) & _WORTH_SAYING & ~_NOT_WRONG else self._style.dim
            yield style(", ".join(text for mark, text in MARK_WORDS.items() if mark & record.marks))

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
        text = self._notices.text(event)
        if not self._times:
            text = _OF_THE_RUN.sub("", text)
        start = self._start % self._place(event)
        return f"{start} {_ARROWS[event.record.sender]} {self._style.dim(printable(text))}"


def _is_late(event: MessageEvent, request: Request) -> bool:
    return is_late(request.row, event.after.programs[event.record.sender], event.latency or 0)


def _waiting_text(wait: Wait) -> str:
    connection = f" c{wait.connection}" if wait.connection > 1 else ""
    return f"!{connection}{_CHANNELS[wait.request.channel]} still waiting {wait.text}"


def _header_words(record: Record, message: WireMessage) -> Iterator[str]:
    """NEED_REPLY, and the flags of a header that are otherwise not as they should be."""
    usual = 0 if record.channel is Channel.GPU else message.row.version
    usual |= REPLY if message.reply else 0
    if not message.reply and record.channel is not Channel.GPU and message.flags & NEED_REPLY:
        usual |= NEED_REPLY
        yield "need_reply"
    if message.flags != usual and (not message.problem or not message.row.known):
        yield f"header_flags {message.flags:#x}"
