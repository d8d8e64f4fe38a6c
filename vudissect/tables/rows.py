"""Events to rows. Each function makes the rows of one table, in the order of its columns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from vudissect.capture.observation import observation_of
from vudissect.capture.record import Mark, RecordKind
from vudissect.filter.fields import rings_of
from vudissect.lint.finding import Finding
from vudissect.render.jsonl import payload_writer, unusual_payload
from vudissect.render.units import unicode
from vudissect.session.event import Event, MessageEvent
from vudissect.tables.schema import Table, Type
from vudissect.wire.codec import Form
from vudissect.wire.layout import Values

Value = str | int | bool | None
Row = tuple[Value, ...]


class _Common(NamedTuple):
    """What messages with the same header have in common; `rings` reads the rings that are named, None for none."""

    channel: str
    sender: str
    kind: str
    number: int
    name: str | None
    flags: int
    size: int | None
    rings: Callable[[Values], Sequence[int]] | None
    payload: Callable[[Values], str]


_FAULTS = {
    Mark.DESCRIPTORS_LOST: "the kernel dropped descriptors",
    Mark.CUT_SHORT: "the peer closed the connection before the message was complete",
    Mark.NOT_FORWARDED: "the receiver had closed the connection",
    Mark.WITHHELD: "the proxy did not pass it on",
    Mark.INJECTED: "the proxy sent it",
}
_ANY_FAULT = Mark.DESCRIPTORS_LOST | Mark.CUT_SHORT | Mark.NOT_FORWARDED | Mark.WITHHELD | Mark.INJECTED
_LARGEST = (1 << 63) - 1
_BOUNDS = {
    Type.INTEGER: (-_LARGEST - 1, _LARGEST),
    Type.TIME: (0, _LARGEST),
    Type.WORD: (0, (1 << 64) - 1),
}


class MessageRows:
    """Makes the rows of messages; what those with the same header have in common, once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._common: dict[Form, _Common] = {}

    def row(self, event: MessageEvent) -> Row:
        """The row of a message."""
        record, _, _, _, elapsed, message, _, request, latency, _ = event
        _, connection, _, _, _, received, forwarded, time, _, _, marks, descriptors, _, frame = record
        form = message.form
        if form is None or marks:
            common = _common(event, lambda _: unusual_payload(event, message))
        else:
            common = self._common.get(form) or self._new(form, event)
        channel, sender, kind, number, name, flags, size, rings, payload = common
        values = message.values
        return (
            self._file,
            connection,
            frame,
            time,
            elapsed,
            # Without a recorder between the peers, the two are the same.
            forwarded - received if forwarded > received else None,
            channel,
            sender,
            kind,
            number,
            name,
            flags,
            size,
            next(iter(rings(values)), None) if rings is not None else None,
            len(descriptors) if not record.is_named else None,
            request.frame if request is not None else None,
            latency,
            payload(values),
        )

    def _new(self, form: Form, event: MessageEvent) -> _Common:
        common = self._common[form] = _common(event, payload_writer(form.layout))
        return common


def _common(event: MessageEvent, payload: Callable[[Values], str]) -> _Common:
    record, message = event.record, event.message
    return _Common(
        record.channel.label,
        record.sender.label,
        event.kind.value,
        message.id,
        message.row.name if message.row.known else None,
        message.flags,
        message.size if not record.is_named else None,
        rings_of(message.layout),
        payload,
    )


def descriptor_rows(file: str, event: MessageEvent) -> Iterator[Row]:
    """The rows of the descriptors of a message."""
    record = event.record
    for position, named in enumerate(event.descriptors):
        descriptor = named.descriptor
        yield (
            file,
            record.connection,
            record.frame,
            record.time,
            record.sender.label,
            event.name,
            position,
            named.name,
            descriptor.kind.label,
            descriptor.identity or None,
            descriptor.size or None,
            descriptor.page_size or None,
            descriptor.seals if descriptor.seals >= 0 else None,
            descriptor.flags if descriptor.is_examined else None,
            unicode(descriptor.name) or None,
        )


def finding_rows(file: str, findings: Sequence[Finding], time: int) -> Iterator[Row]:
    """The rows of findings that were made at one time (ns since the epoch)."""
    for finding in findings:
        yield (
            file,
            finding.connection,
            finding.frame or None,
            time,
            finding.rule,
            finding.severity.value,
            finding.blame.value,
            unicode(finding.message),
            " ".join(map(str, finding.frames)) or None,
        )


def fault_rows(file: str, event: Event) -> Iterator[Row]:
    """The rows of the faults of a record."""
    record = event.record
    about = (file, record.connection, record.frame, record.time, record.channel.label)
    if event.message is None:
        for kind, text in _event_faults(event):
            yield (*about, None, None, kind, unicode(text))
        return
    for kind, text in _message_faults(event):
        yield (*about, record.sender.label, event.name, kind, unicode(text))


def _event_faults(event: Event) -> Iterator[tuple[str, str]]:
    record = event.record
    if record.kind is RecordKind.GAP:
        yield "gap", ", ".join(f"{key} {value}" for key, value in record.details.items()) or "messages are missing"
    elif record.kind is RecordKind.RING_OBSERVED:
        seen = observation_of(record.details)
        if seen is not None and seen.fault:
            yield "ring", f"ring {seen.ring}: {seen.fault}"
    elif record.kind is RecordKind.FAULT:
        details = record.details
        reason = f" ({details['reason']})" if "reason" in details else ""
        yield str(details.get("outcome", "")).replace(" ", "_"), f"{details.get('text', '')}{reason}"


def _message_faults(event: MessageEvent) -> Iterator[tuple[str, str]]:
    if event.message.problem:
        yield "malformed", event.message.problem
    marks = event.record.marks
    if marks & Mark.WITHHELD:
        marks &= ~Mark.NOT_FORWARDED
    if marks and marks & _ANY_FAULT:
        for mark, text in _FAULTS.items():
            if marks & mark and mark.name is not None:
                yield mark.name.lower(), text


def fitting(table: Table, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows with numbers in the bounds of their columns: a hostile capture can have any."""
    bounds = [_BOUNDS.get(column.type) for column in table.columns]
    for row in rows:
        yield tuple(
            value if limits is None or not isinstance(value, int) else min(max(value, limits[0]), limits[1])
            for value, limits in zip(row, bounds, strict=True)
        )
