"""The messages of a log that only names them, as records: header only, payload unknown."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count

from vudissect.capture.record import NO_DETAILS, Mark, Record, RecordKind
from vudissect.host.descriptor import NOT_EXAMINED, Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.sources.named import SOURCES, HungUp, Named, NamedLog
from vudissect.wire.header import HEADER_SIZE, NAMED_SIZE, struct_of


def named_records(messages: Iterable[Named | HungUp], log: NamedLog) -> Iterator[Record]:
    """The records of a log that has been read to its end."""
    _, side = SOURCES[log.source]
    opened: dict[str, int] = {}
    numbers = count(1)
    drafts: list[Record] = []
    unseen = Mark(0) if log.answers else Mark.ANSWER_UNSEEN
    for message in messages:
        number = opened.get(message.socket)
        if isinstance(message, HungUp):
            if number is not None:
                del opened[message.socket]
                details = {"by": Side(1 - side).label, "how": "eof"}
                drafts.append(_event(RecordKind.CONNECTION_CLOSED, number, message.time, details))
            continue
        if number is None:
            number = opened[message.socket] = next(numbers)
            details = {"source": log.source, "seen_by": side.label}
            if message.socket:
                details["device_id"] = message.socket
            drafts.append(_event(RecordKind.CONNECTION_OPENED, number, message.time, details))
        drafts.append(_message(message, number, unseen))
    for frame, record in enumerate(drafts, 1):
        yield record._replace(sequence=frame, frame=frame)


def _message(message: Named, connection: int, marks: Mark) -> Record:
    header = struct_of("III", "little").pack(message.number, message.flags, max(0, message.size))
    is_sized = message.size >= 0
    return Record(
        RecordKind.MESSAGE,
        connection,
        Channel.MAIN,
        message.sender,
        0,
        message.time,
        message.time,
        message.time,
        HEADER_SIZE + max(0, message.size),
        header if is_sized else header[:NAMED_SIZE],
        marks,
        (Descriptor(DescriptorKind.UNKNOWN, flags=NOT_EXAMINED),) * message.passed,
    )


def _event(kind: RecordKind, connection: int, time: int, details: Mapping[str, str | int] = NO_DETAILS) -> Record:
    return Record(kind, connection, Channel.MAIN, Side.PROXY, 0, time, time, time, 0, b"", details=details)
