"""The transcript for programs: one JSON object a line, with the same keys in every line.

Times are nanoseconds. A request's `reply_frame` needs a look ahead: lines are held back until it is known, but never
more than a bounded number of them, after which it stays null.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from json import JSONEncoder

from vudissect.capture.record import Mark
from vudissect.lint.finding import Finding
from vudissect.session.event import Event
from vudissect.session.names import NamedDescriptor
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import Fields, to_fields
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION_MASK

_MOST_HELD = 1024

_dumps = JSONEncoder(separators=(",", ":"), check_circular=False).encode


class _Line:
    """A line whose `reply_frame` may still become known."""

    __slots__ = ("frame", "head", "open", "tail")

    def __init__(self, frame: int, head: str, tail: str, is_open: bool) -> None:
        self.frame = frame
        self.head = head
        self.tail = tail
        self.open = is_open

    def close(self, reply_frame: int) -> None:
        self.tail = f"{reply_frame}{self.tail[4:]}"
        self.open = False


def json_lines(judged: Iterable[tuple[Event, Sequence[Finding]]], *, look_ahead: bool = True) -> Iterator[str]:
    """The line of each event with what was found about it. Without `look_ahead` nothing is held back (live)."""
    held: deque[_Line] = deque()
    asked: dict[int, _Line] = {}
    for event, findings in judged:
        line = _line(event, findings, look_ahead)
        if not look_ahead:
            yield line.head + line.tail
            continue
        held.append(line)
        if line.open:
            asked[line.frame] = line
        if event.request is not None:
            answered = asked.pop(event.request.frame, None)
            if answered is not None:
                answered.close(line.frame)
        for request in event.unanswered:
            unanswered = asked.pop(request.frame, None)
            if unanswered is not None:
                unanswered.open = False
        while held and (not held[0].open or len(held) > _MOST_HELD):
            first = held.popleft()
            asked.pop(first.frame, None)
            yield first.head + first.tail
    for line in held:
        yield line.head + line.tail


def _line(event: Event, findings: Sequence[Finding], look_ahead: bool) -> _Line:
    record, message, request = event.record, event.message, event.request
    if message is None:
        number, name, flags, size = "null", f'"{record.kind.name.lower()}"', "null", "null"
        payload = _dumps(dict(record.details))
    else:
        number, size = str(message.id), str(message.size)
        name = f'"{message.row.name}"' if message.row is not None else "null"
        flags = _flags(message.flags)
        payload = _dumps(_payload(message, record.marks))
    fds = _dumps([_descriptor(named) for named in event.descriptors]) if event.descriptors else "[]"
    marks = _dumps([mark.name.lower() for mark in Mark if mark & record.marks and mark.name]) if record.marks else "[]"
    head = (
        f'{{"frame":{record.frame},"time":{record.time},"elapsed":{event.elapsed},"connection":{record.connection},'
        f'"channel":"{record.channel.label}","from":"{record.sender.label}","kind":"{event.kind}","id":{number},'
        f'"name":{name},"flags":{flags},"size":{size},"payload":{payload},"fds":{fds},'
        f'"request_frame":{request.frame if request is not None else "null"},"reply_frame":'
    )
    latency = "null" if event.latency is None else event.latency
    rules = _dumps([finding.rule for finding in findings]) if findings else "[]"
    dialect = event.after.protocol.key
    tail = f'null,"latency":{latency},"dialect":"{dialect}","findings":{rules},"marks":{marks}}}\n'
    return _Line(record.frame, head, tail, look_ahead and event.awaits)


@lru_cache(maxsize=256)
def _flags(flags: int) -> str:
    return _dumps(
        {
            "version": flags & VERSION_MASK,
            "reply": bool(flags & REPLY),
            "need_reply": bool(flags & NEED_REPLY),
            "raw": flags,
        }
    )


def _payload(message: WireMessage, marks: Mark) -> Fields:
    fields: Fields = {}
    if message.layout is not None:
        stored = not marks or not marks & Mark.KEYS_MASKED
        fields = to_fields(message.layout, message.values, keys_stored=stored)
    if message.problem:
        fields["problem"] = message.problem
        fields["bytes"] = message.data.hex()
    return fields


def _descriptor(named: NamedDescriptor) -> Fields:
    descriptor = named.descriptor
    return {
        "name": named.name,
        "kind": descriptor.kind.label,
        "first_frame": named.first,
        "identity": descriptor.identity,
        "size": descriptor.size,
        "page_size": descriptor.page_size,
        "seals": descriptor.seals,
        "flags": descriptor.flags,
        "file": descriptor.name,
    }
