"""A session as a sequence diagram: the steps, and the diagram as text and for Mermaid. `sequence_svg` draws it."""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice
from textwrap import wrap
from typing import Final, NamedTuple

from vudissect.capture.record import RecordKind
from vudissect.compare.exchange import is_traffic
from vudissect.lint.finding import Finding, Severity
from vudissect.protocol.model import Channel, Side
from vudissect.render.findings import finding_text
from vudissect.render.format import Option, Shown
from vudissect.render.notices import Notices
from vudissect.render.style import Style
from vudissect.render.units import duration_text, printable
from vudissect.render.values import describe
from vudissect.session.event import Event, MessageEvent

MOST_STEPS: Final = 500
"""More cannot be read, and Mermaid draws no text of more than 50,000 characters."""

# A silence that is as long as this is drawn.
_PAUSE: Final = 1_000_000_000
_PLAIN: Final = Style(False)

# The text diagram: a frame, and between the two lines room for an arrow.
_FRAME, _ROOM, _LABEL = 7, 68, 60


class StepKind(Enum):
    """What a step is."""

    MESSAGE = "message"
    ANSWER = "answer"
    NOTE = "note"
    PAUSE = "pause"
    FINDING = "finding"


class Step(NamedTuple):
    """An arrow from one side, or a text across both. `frame` is 0 for what is not in one frame."""

    kind: StepKind
    text: str
    sender: Side = Side.FRONT_END
    frame: int = 0


class Diagram:
    """The steps of what is shown, each with at most so many characters.

    `names` are the programs, known after the first step.
    """

    def __init__(self, shown: Shown, most: int) -> None:
        self._shown = shown
        self._most = most
        self._notices = Notices()
        self._seen: set[int] = set()
        self._times = Option.NO_TIMES not in shown.options
        self._latest = 0
        self._traffic: list[MessageEvent] = []
        self.names = ("", "")

    def steps(self) -> Iterator[Step]:
        """At most `MOST_STEPS`, and a note about the rest."""
        steps = self._all()
        yield from islice(steps, MOST_STEPS)
        rest = sum(step.kind in (StepKind.MESSAGE, StepKind.ANSWER) for step in steps)
        if rest:
            yield Step(StepKind.NOTE, f"{rest} more messages are not drawn: select some with --filter")

    def _all(self) -> Iterator[Step]:
        for event, findings in self._shown.judged:
            if event.record.kind is RecordKind.CONNECTION_OPENED and not any(self.names):
                self.names = event.record.peer_names
            found = [*_findings(findings)]
            if event.message is not None and is_traffic(event.message.row) and not found:
                self._traffic.append(event)
                self._latest = event.elapsed
                continue
            yield from self._collapsed()
            if self._times and event.elapsed - self._latest >= _PAUSE:
                yield Step(StepKind.PAUSE, duration_text(event.elapsed - self._latest))
            self._latest = event.elapsed
            yield from self._beginning(event)
            yield self._message(event) if event.message is not None else self._note(event)
            yield from found
        yield from self._collapsed()
        yield from _findings(self._shown.ending().findings)

    def _beginning(self, event: Event) -> Iterator[Step]:
        """A note if the beginning of this connection is not in the capture."""
        number = event.record.connection
        if number and number not in self._seen:
            self._seen.add(number)
            if event.after.opened is None:
                yield Step(StepKind.NOTE, f"the beginning of connection {number} was not recorded")

    def _note(self, event: Event) -> Step:
        text = printable(self._notices.text(event))
        return Step(StepKind.NOTE, _short(text, self._most), frame=event.record.frame)

    def _collapsed(self) -> Iterator[Step]:
        """The device's own traffic: only its first and its last frame are of interest."""
        if len(self._traffic) > 2:
            names = ", ".join(sorted({event.name for event in self._traffic}))
            first, last = self._traffic[0].record.frame, self._traffic[-1].record.frame
            yield Step(StepKind.NOTE, f"{len(self._traffic)} messages {names} (#{first} to #{last})")
        else:
            yield from map(self._message, self._traffic)
        self._traffic = []

    def _message(self, event: MessageEvent) -> Step:
        record, message = event.record, event.message
        self._notices.see(event)
        channel = "" if record.channel is Channel.MAIN else f"{record.channel.label}: "
        contents = ""
        if message.values:
            purpose = message.row.purpose
            contents = f" {describe(message.layout, purpose, reply=message.reply)(message.values, event.after)}"
        descriptors = "".join(f" +{each.name}" for each in event.descriptors)
        late = f" ({duration_text(event.latency)})" if event.latency is not None and self._times else ""
        text = _short(f"{channel}{event.name}{contents}{descriptors}", self._most - len(late))
        kind = StepKind.ANSWER if message.reply else StepKind.MESSAGE
        return Step(kind, printable(f"{text}{late}"), record.sender, record.frame)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _findings(findings: Iterable[Finding]) -> Iterator[Step]:
    """Those that are not only informative."""
    for finding in findings:
        if finding.severity is not Severity.INFO:
            yield Step(StepKind.FINDING, finding_text(finding, _PLAIN).strip(), frame=finding.frame)


def text_lines(shown: Shown) -> Iterator[str]:
    """The diagram in plain characters, 77 columns wide."""
    diagram = Diagram(shown, _LABEL)
    for number, step in enumerate(diagram.steps()):
        if not number:
            yield from _head(diagram.names)
        yield from _text(step)


def _head(names: tuple[str, str]) -> Iterator[str]:
    edge = " " * _FRAME
    for left, right in (("front-end", "back-end"), tuple(map(printable, names))):
        if left or right:
            yield f"{edge}{left}{right:>{max(_ROOM + 2 - len(left), 0)}}"


def _text(step: Step) -> Iterator[str]:
    frame = f"{step.frame or '':>{_FRAME - 1}} "
    if step.kind is StepKind.FINDING:
        lines = wrap(f"! {step.text}", _ROOM - 2)
        yield from (f"{'':{_FRAME}}| {line:<{_ROOM - 2}} |" for line in lines)
    elif step.kind is StepKind.NOTE:
        yield f"{frame}|{f' {step.text} ':=^{_ROOM}}|"
    elif step.kind is StepKind.PAUSE:
        yield f"{'':{_FRAME}}:{f'{step.text} later':^{_ROOM}}:"
    else:
        yield f"{frame}|{_arrow(step)}|"


def _arrow(step: Step) -> str:
    line = "." if step.kind is StepKind.ANSWER else "-"
    if step.sender is Side.FRONT_END:
        return f"{f'{line} {step.text} ':{line}<{_ROOM - 1}}>"
    return f"<{f' {step.text} {line}':{line}>{_ROOM - 1}}"


# Characters that Mermaid would take as its own; it has no other way to write them.
_SPECIAL = re.compile(r"[#;<>&\"%{}\\`]")


def mermaid_lines(shown: Shown) -> Iterator[str]:
    """The diagram in the language of Mermaid, which issue trackers draw."""
    diagram = Diagram(shown, _LABEL)
    for number, step in enumerate(diagram.steps()):
        if not number:
            yield "sequenceDiagram"
            for letter, side, name in zip("FB", ("front-end", "back-end"), diagram.names, strict=True):
                yield f"    participant {letter} as {side}{f'<br/>{_escaped(printable(name))}' if name else ''}"
        yield f"    {_mermaid(step)}"


def _mermaid(step: Step) -> str:
    frame = f"{_escaped(f'#{step.frame}')} " if step.frame else ""
    text = f"{frame}{_escaped(step.text)}"
    if step.kind is StepKind.PAUSE:
        return f"Note over F,B: {text} later"
    if step.kind is StepKind.NOTE:
        return f"Note over F,B: {text}"
    if step.kind is StepKind.FINDING:
        return f"Note over F,B: {_escaped('!')} {_escaped(step.text)}"
    arrow = "-->>" if step.kind is StepKind.ANSWER else "->>"
    sender, receiver = "FB" if step.sender is Side.FRONT_END else "BF"
    return f"{sender}{arrow}{receiver}: {text}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"#{ord(match.group())};", text)
