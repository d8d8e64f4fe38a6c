"""The text form of a conversation: one message per line, as in a transcript. docs/conversation.md describes it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from vudissect.capture.record import Record
from vudissect.conversation.contents import NOTHING_KNOWN, Context, read_contents
from vudissect.conversation.conversation import MILLISECOND, Conversation, ConversationError
from vudissect.conversation.notes import NoteReader
from vudissect.conversation.objects import Objects
from vudissect.conversation.values import BYTES, bytes_of, count, duration
from vudissect.protocol.devices import DEVICES, device_by_name
from vudissect.protocol.dialects import DIALECTS, dialect_by_name
from vudissect.protocol.model import Channel, Device, Side
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.session.session import Session
from vudissect.wire.header import HEADER_SIZE, ByteOrder

_LINE = re.compile(
    r"(?:(?P<frame>\d{1,10}) +(?:(?P<seconds>-?\d+\.\d+) +)?)?(?:c(?P<connection>\d+) +)?"
    r"(?P<arrow>F>B|B>F|---) +(?P<rest>.*)"
)
_MESSAGE = re.compile(r"(?:(?P<channel>backend|gpu): +)?(?:message +)?(?P<name>\w+)(?: +(?P<words>.*))?")
_MALFORMED = re.compile(rf"MALFORMED, .*: (?P<bytes>(?:{BYTES})*)(?:\.\.\. \((?P<size>\d+) bytes\))?")
_DIRECTIVE = re.compile(r"(?:c(?P<connection>\d+) +)?(?P<word>\S+) +(?P<name>\S+)(?: +\(.*\))?")
_ANSWERS = re.compile(r"\[#(?P<frame>\d{1,10})(?: \+(?P<latency>[^],]+))?(?:, late)?\]$")
_SIDES = {"F>B": Side.FRONT_END, "B>F": Side.BACK_END}
_CHANNELS = {channel.label: channel for channel in Channel}
# Comments, and what a transcript remarks: missing answers and findings.
_REMARKS = ("#", "!", *(f"{sign} {severity} VU-" for sign, severity in (("~", "compat"), ("i", "info"))))
_AS_IN = re.compile(r"(?:^| )as in #(\d{1,10})\b")
_UNKNOWN = "unknown"
# The indent of the lines that continue a line of a transcript. Other lines have no reason to be indented so far.
_CONTINUED = " " * 26
_OF_THE_RECORD = {"descriptors", "marks", "after"}
# What holds for every connection that has nothing of its own; connections are numbered from 1.
_EVERY = 0


def read_conversation(text: str | Iterable[str]) -> Conversation:
    """The conversation in a text or its lines; `ConversationError` names the line that is wrong, and why."""
    reader = Reader()
    for number, line in _unwrapped(text.splitlines() if isinstance(text, str) else text):
        try:
            reader.read(line)
        except ConversationError as error:
            raise ConversationError(f"line {number}: {error}") from None
    return reader.conversation


def _unwrapped(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Each line with its number; lines that a terminal's width has broken are joined again."""
    first, whole = 1, ""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if whole and text and line.startswith(_CONTINUED):
            whole = whole[:-1] + text if whole.endswith("\\") else f"{whole} {text}"
            continue
        if whole:
            yield first, whole
        first, whole = number, text
    if whole:
        yield first, whole


class _Reading(NamedTuple):
    """What the lines of a connection are read in."""

    protocol: Protocol = UPSTREAM
    device: Device | None = None


class Reader:
    """Reads line by line; a session keeps the state that words such as `region0+0x1000` refer to.

    Each dialect has a session of its own: when a line names one, all lines before it are read again in it.
    """

    def __init__(self) -> None:
        self._objects = Objects()
        self._readings = {_EVERY: _Reading()}
        self._frames: dict[int, int] = {}
        self._begin()

    def _begin(self) -> None:
        reading = self._readings[_EVERY]
        self.conversation = Conversation(protocol=reading.protocol)
        self._notes = NoteReader(self.conversation, self._objects)
        self._sessions = {reading.protocol.key: Session(reading.device, protocol=reading.protocol)}

    @property
    def session(self) -> Session:
        """The session in the dialect of the whole conversation."""
        return self._sessions[self._readings[_EVERY].protocol.key]

    def read(self, line: str) -> None:
        """Add what a line says; `ConversationError`."""
        for record in self.compose(line):
            for session in self._sessions.values():
                session.feed(record)

    def compose(self, line: str) -> list[Record]:
        """Add what a line says, which the session is not fed yet; `ConversationError`."""
        before = len(self.conversation.records)
        if not line or line.startswith(_REMARKS):
            return []
        match = _LINE.fullmatch(line)
        if line.startswith("... "):
            self._silence(line.removeprefix("... "))
        elif match is None:
            self._directive(line)
        else:
            after = self._after(match["seconds"])
            connection = count(match["connection"] or "1", 32)
            if match["arrow"] == "---":
                self._notes.read(match["rest"], connection, after)
            else:
                self._message(_SIDES[match["arrow"]], match["rest"], connection, after)
            self._frames[int(match["frame"] or before + 1)] = before
        return self.conversation.records[before:]

    def _after(self, seconds: str | None) -> int:
        """The time since the previous record; `seconds` counts from the first one."""
        records = self.conversation.records
        if seconds is None or not records:
            return MILLISECOND
        since_first = 0 if seconds.startswith("-") else duration(f"{seconds}s") or 0
        return max(0, records[0].received + since_first - records[-1].received)

    def _silence(self, text: str) -> None:
        length = duration(text.strip())
        if length is None:
            raise ConversationError(f"{text!r} is not a duration; write ... 2s")
        self.conversation.silence(length)

    def _directive(self, line: str) -> None:
        match = _DIRECTIVE.fullmatch(line)
        word, name = (match["word"], match["name"]) if match else (line.partition(" ")[0], "")
        if word not in ("dialect", "device", "byte-order"):
            raise ConversationError(f"no line begins with {word!r}: write F>B, B>F, --- or ... 2s")
        connection = count(match["connection"], 32) if match and match["connection"] else _EVERY
        if word == "byte-order":
            self.conversation.write_in(_byte_order(name))
            return
        reading = self._reading(connection)
        if word == "dialect":
            reading = reading._replace(protocol=_dialect(name))
        else:
            reading = reading._replace(device=_device(name))
        self._readings[connection] = reading
        if not self.conversation.records:
            self._begin()
        elif reading.protocol.key not in self._sessions:
            session = self._sessions[reading.protocol.key] = Session(protocol=reading.protocol)
            for record in self.conversation.records:
                session.feed(record)

    def _reading(self, connection: int) -> _Reading:
        return self._readings.get(connection) or self._readings[_EVERY]

    def _message(self, side: Side, text: str, connection: int, after: int) -> None:
        match = _MESSAGE.fullmatch(text)
        if match is None:
            raise ConversationError(f"{text!r} does not begin with the name of a message")
        channel = _CHANNELS[match["channel"] or Channel.MAIN.label]
        words = match["words"] or ""
        where: dict[str, Any] = {"after": after, "connection": connection}
        if match["name"] == "bytes":
            self._raw(side, channel, words, where)
        elif malformed := _MALFORMED.search(words):
            data = bytes_of(malformed["bytes"])
            options = read_contents(words[malformed.end() :], NOTHING_KNOWN, self._objects)
            # The bytes include everything else.
            options = {name: options[name] for name in _OF_THE_RECORD & options.keys()}
            size = max(len(data), count(malformed["size"] or "0", 24))
            self.conversation.raw(side, data.ljust(size, b"\0"), channel, **where | options)
        else:
            self._say(side, match["name"], channel, words, where)
        self._notes.see(self.conversation.records[-1])
        if answers := _ANSWERS.search(text):
            self._took(int(answers["frame"]), answers["latency"])

    def _say(self, side: Side, name: str, channel: Channel, words: str, where: dict[str, Any]) -> None:
        reading = self._reading(where["connection"])
        self.conversation.speak(reading.protocol)
        number = count(name, 32) if name.isdecimal() else name
        row = self.conversation.row(number, channel)
        state = self._sessions[reading.protocol.key].states.get(where["connection"])
        device = reading.device or (state.guess.device if state is not None else None)
        context = Context(row, side is not channel.initiator, state, device)
        words = _AS_IN.sub(lambda match: f" payload={self._payload(int(match[1])).hex()}", words)
        self.conversation.say(side, number, channel, **where | read_contents(words, context, self._objects))

    def _raw(self, side: Side, channel: Channel, text: str, where: dict[str, Any]) -> None:
        text, descriptors = self._objects.take(text)
        try:
            data = bytes.fromhex(text)
        except ValueError:
            raise ConversationError(f"{text.strip()!r} is not hexadecimal") from None
        self.conversation.raw(side, data, channel, descriptors=descriptors, **where)

    def _payload(self, frame: int) -> bytes:
        place = self._frames.get(frame)
        if place is None:
            raise ConversationError(f"there is no #{frame} before this line")
        return self.conversation.records[place].data[HEADER_SIZE:]

    def _took(self, frame: int, latency: str | None) -> None:
        """The latest message answers that of a frame, which was forwarded this long before."""
        place = self._frames.get(frame)
        length = duration(latency.removeprefix("-")) if latency else None
        if place is not None and length is not None and latency:
            self.conversation.forwarded_before(place, -length if latency.startswith("-") else length)


def _byte_order(name: str) -> ByteOrder:
    if name == "big":
        return "big"
    if name == "little":
        return "little"
    raise ConversationError(f"byte-order must be little or big, not {name!r}")


def _dialect(name: str) -> Protocol:
    dialect = dialect_by_name(name)
    if dialect is None:
        raise ConversationError(f"unknown dialect {name!r}; use {', '.join(each.key for each in DIALECTS)}")
    return dialect.protocol


def _device(name: str) -> Device | None:
    device = device_by_name(name)
    if device is None and name != _UNKNOWN:
        raise ConversationError(f"unknown device type {name!r}; use {', '.join(each.name for each in DEVICES)}")
    return device
