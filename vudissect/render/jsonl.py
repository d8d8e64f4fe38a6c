"""The transcript for programs: one JSON object per line, with the same keys in every line.

Times are in nanoseconds. A request's `reply_frame` needs look-ahead: lines are held back until it is known, up to
a limit; after that it stays null.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from json import JSONEncoder

from vudissect.capture.record import Mark
from vudissect.lint.finding import Finding
from vudissect.protocol.model import Layout
from vudissect.render.config import carried_config, config_names, decode_config
from vudissect.render.json_names import Write, names_writer
from vudissect.render.units import unicode
from vudissect.session.event import Event
from vudissect.session.names import NamedDescriptor
from vudissect.session.state import State
from vudissect.wire.codec import Form, WireMessage
from vudissect.wire.fields import Fields, to_fields, usual_numbers
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION_MASK
from vudissect.wire.layout import Values

_MOST_HELD = 1024
# Of each layout, so many texts are kept: guests use the same addresses, and programs the same numbers, again and again.
_MOST_PAYLOADS = 1024

_dumps = JSONEncoder(separators=(",", ":"), check_circular=False).encode


class _Line:
    """A line whose `reply_frame` is not known yet."""

    __slots__ = ("frame", "head", "open", "reply_frame", "tail")

    def __init__(self, frame: int, head: str, tail: str) -> None:
        self.frame = frame
        self.head = head
        self.reply_frame = "null"
        self.tail = tail
        self.open = True

    def close(self, reply_frame: int) -> None:
        self.reply_frame = str(reply_frame)
        self.open = False

    @property
    def text(self) -> str:
        return f"{self.head}{self.reply_frame}{self.tail}"


def json_lines(judged: Iterable[tuple[Event, Sequence[Finding]]], *, look_ahead: bool = True) -> Iterator[str]:
    """The line of each event with its findings. Without `look_ahead` nothing is held back (live)."""
    held: deque[_Line | str] = deque()
    asked: dict[int, _Line] = {}
    halves = _Halves()
    for event, findings in judged:
        head, tail = halves.of(event, findings)
        if event.message is None:
            for request in event.unanswered:
                unanswered = asked.pop(request.frame, None)
                if unanswered is not None:
                    unanswered.open = False
        elif event.request is not None:
            answered = asked.pop(event.request.frame, None)
            if answered is not None:
                answered.close(event.record.frame)
        if look_ahead and event.awaits:
            line = _Line(event.record.frame, head, tail)
            asked[line.frame] = line
            held.append(line)
        elif held:
            held.append(f"{head}null{tail}")
        else:
            yield f"{head}null{tail}"
        while held:
            first = held[0]
            if isinstance(first, str):
                yield first
            elif not first.open or len(held) > _MOST_HELD:
                asked.pop(first.frame, None)
                yield first.text
            else:
                break
            held.popleft()
    for rest in held:
        yield rest if isinstance(rest, str) else rest.text


_Template = tuple[str, Callable[[Values], str], Write | None]


class _Halves:
    """Makes the two parts of a line: before and after the value of `reply_frame`.

    The first is a template, made once for all messages of the same form.
    """

    def __init__(self) -> None:
        self._templates: dict[Form, _Template] = {}
        self._state: State | None = None
        self._dialect = self._device = self._usual = ""

    def of(self, event: Event, findings: Sequence[Finding]) -> tuple[str, str]:
        record, message, request, latency = event.record, event.message, event.request, event.latency
        names: Write | None = None
        if message is None:
            template, payload = _template(event), _dumps(dict(record.details))
        elif message.form is None or record.marks:
            template, payload = _template(event), unusual_payload(event, message)
            names = names_writer(message.layout) if message.fits else None
        else:
            known = self._templates.get(message.form) or self._new_template(event, message.form)
            template, write_payload, names = known
            payload = write_payload(message.values)
        head = template % (
            record.frame,
            record.time,
            event.elapsed,
            record.connection,
            payload,
            _descriptors(event),
            request.frame if request is not None else "null",
        )
        state = event.after
        if state is not self._state:
            self._enter(state)
        about = self._usual
        if findings or record.marks:
            rules = _dumps([finding.rule for finding in findings])
            marks = _dumps([mark.name.lower() for mark in Mark if mark & record.marks and mark.name])
            about = f'{self._dialect},"findings":{rules},"marks":{marks},"names":'
        named = names(message.values, state) if names is not None and message is not None else "{}"
        return head, f',"latency":{"null" if latency is None else latency}{about}{named}{self._device}'

    def _enter(self, state: State) -> None:
        """Make what all lines of a state end with."""
        self._state = state
        self._dialect = f',"dialect":"{state.protocol.key}"'
        self._usual = f'{self._dialect},"findings":[],"marks":[],"names":'
        self._device = _device(state)

    def _new_template(self, event: Event, form: Form) -> _Template:
        made = self._templates[form] = (
            _template(event),
            lru_cache(_MOST_PAYLOADS)(payload_writer(form.layout)),
            names_writer(form.layout),
        )
        return made


def unusual_payload(event: Event, message: WireMessage) -> str:
    """The payload of a message that has no form, or marks, as a JSON object; `null` if only its name is known."""
    if event.record.is_named:
        return "null"
    config = carried_config(message)
    return _dumps(_payload(message, event.record.marks) | (_config(event, *config) if config else {}))


def _device(state: State) -> str:
    """The end of a line."""
    guess = state.guess
    name = guess.device.name if guess.device is not None else None
    device = f'"device":{_dumps(name)},"device_guessed":{_dumps(name is not None and not guess.settled)}'
    return f',{device},"device_id":{_dumps(unicode(state.device_id) or None)}}}\n'


def _template(event: Event) -> str:
    """The line of an event up to the value of `reply_frame`, with placeholders for what differs between events."""
    record, message = event.record, event.message
    number, name, flags, size = "null", f'"{record.kind.name.lower()}"', "null", "null"
    if message is not None:
        number, size, flags = str(message.id), str(message.size), _flags(message.flags)
        size = "null" if record.is_named else size
        name = f'"{message.row.name}"' if message.row.known else "null"
    return (
        '{"frame":%d,"time":%d,"elapsed":%d,"connection":%d,'
        f'"channel":"{record.channel.label}","from":"{record.sender.label}","kind":"{event.kind}","id":{number},'
        f'"name":{name},"flags":{flags},"size":{size},"payload":%s,"fds":%s,"request_frame":%s,"reply_frame":'
    )


def payload_writer(layout: Layout) -> Callable[[Values], str]:
    """A function from the values of this layout to a JSON object, that of `to_fields`."""
    usual = usual_numbers(layout)
    template = f"{{{','.join(f'{_dumps(name)}:%d' for name in usual.names)}}}" if usual is not None else ""

    def write(values: Values) -> str:
        numbers = usual.of(values) if usual is not None else None
        return template % numbers if numbers is not None else _dumps(to_fields(layout, values))

    return write


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
    stored = not marks or not marks & Mark.KEYS_MASKED
    fields = to_fields(message.layout, message.values, keys_stored=stored)
    if message.problem:
        fields["problem"] = message.problem
        fields["bytes"] = message.data.hex()
    return fields


def _config(event: Event, offset: int, contents: bytes) -> Fields:
    """A configuration space by field, and the bytes that are not decoded."""
    guess = event.after.guess
    fields, parts = decode_config(guess.device, contents, offset)
    return {
        "device": guess.device.name if guess.device is not None else None,
        "device_guessed": guess.device is not None and not guess.settled,
        "config": fields,
        "config_names": config_names(guess.device, fields),
        "undecoded": [{"field": part.field, "start": part.start, "bytes": part.data.hex()} for part in parts],
    }


def _descriptors(event: Event) -> str:
    if event.descriptors:
        return _dumps([_descriptor(named) for named in event.descriptors])
    return "null" if event.record.is_named else "[]"


def _descriptor(named: NamedDescriptor) -> Fields:
    descriptor = named.descriptor
    known = descriptor.is_examined
    return {
        "name": named.name,
        "kind": descriptor.kind.label,
        "first_frame": named.first,
        "identity": descriptor.identity,
        "size": descriptor.size if known else None,
        "page_size": descriptor.page_size if known else None,
        "seals": descriptor.seals if known else None,
        "flags": descriptor.flags if known else None,
        "file": descriptor.name,
    }
