"""Events to rows, where there are few. Each function makes the rows of one table, in the order of its columns."""

from collections.abc import Iterable, Iterator, Sequence

from vudissect.capture.observation import observation_of
from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.finding import Finding
from vudissect.render.units import unicode
from vudissect.session.event import Event, MessageEvent
from vudissect.tables.columns import Row
from vudissect.tables.schema import Table, Type

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
