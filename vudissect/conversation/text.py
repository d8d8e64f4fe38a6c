"""The text form of a conversation: one message per line, as in a transcript. docs/conversation.md describes it."""

import re
from collections.abc import Iterable

from vudissect.capture.record import Record, RecordKind
from vudissect.conversation.contents import Context, read_contents
from vudissect.conversation.conversation import MILLISECOND, Conversation, ConversationError
from vudissect.conversation.objects import Objects
from vudissect.conversation.rings import read_observation
from vudissect.conversation.values import count, duration
from vudissect.protocol.devices import DEVICES, device_by_name
from vudissect.protocol.dialects import DIALECTS, dialect_by_name
from vudissect.protocol.model import Channel, Device, Side
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.session.session import Session
from vudissect.wire.header import ByteOrder

_LINE = re.compile(
    r"(?:\d+ +(?:(?P<seconds>\d+\.\d+) +)?)?(?:c(?P<connection>\d+) +)?(?P<arrow>F>B|B>F|---) +(?P<rest>.*)"
)
_MESSAGE = re.compile(r"(?:(?P<channel>backend|gpu): +)?(?:message +)?(?P<name>\w+)(?: +(?P<words>.*))?")
_MALFORMED = re.compile(r"MALFORMED, [^:]{0,200}: (?P<bytes>[0-9a-f ]+)")
_SIDES = {"F>B": Side.FRONT_END, "B>F": Side.BACK_END}
_CHANNELS = {channel.label: channel for channel in Channel}

_OPENED = re.compile(
    r"connection(?: (?P<number>\d+))?:? +front-end[ =](?P<front>\S+?)(?: \(pid (?P<front_pid>\d+)\))?,?"
    r" +back-end[ =](?P<back>\S+)(?: \(pid (?P<back_pid>\d+)\))?"
)
_CLOSED = re.compile(
    r"(?:connection (?P<number>\d+) )?closed by (?:the )?(?P<by>front-end|back-end|proxy)(?: \((?P<how>.*)\))?"
)
_CHANNEL_OPENED = re.compile(r"(?P<channel>backend|gpu) channel opened")
_CHANNEL_CLOSED = re.compile(r"(?P<channel>backend|gpu) channel closed by (?:the )?(?P<by>[\w-]+)(?: \((?P<how>.*)\))?")
_PIDS = (("front_end", "front_pid"), ("back_end", "back_pid"))
_GAP = re.compile(r"(?P<messages>\d+) messages are missing here: (?P<reason>.*)")
_NOTE = re.compile(r"note:? (?P<text>.*)")


def read_conversation(text: str | Iterable[str]) -> Conversation:
    """The conversation in a text or its lines; `ConversationError` names the line that is wrong, and why."""
    reader = Reader()
    for number, line in enumerate(text.splitlines() if isinstance(text, str) else text, 1):
        try:
            reader.read(line.strip())
        except ConversationError as error:
            raise ConversationError(f"line {number}: {error}") from None
    return reader.conversation


class Reader:
    """Reads line by line; a session keeps the state that words such as `region0+0x1000` refer to."""

    def __init__(self) -> None:
        self._byte_order: ByteOrder = "little"
        self._protocol: Protocol = UPSTREAM
        self._device: Device | None = None
        self._objects = Objects()
        self._begin()

    def _begin(self) -> None:
        self.conversation = Conversation(self._byte_order, self._protocol)
        self.session = Session(self._device, protocol=self._protocol)

    def read(self, line: str) -> None:
        """Add what a line says; `ConversationError`."""
        for record in self.compose(line):
            self.session.feed(record)

    def compose(self, line: str) -> list[Record]:
        """Add what a line says, which the session is not fed yet; `ConversationError`."""
        before = len(self.conversation.records)
        if not line or line[0] in "#!":
            return []  # comments, and a transcript's remarks on missing answers
        match = _LINE.fullmatch(line)
        if line.startswith("... "):
            self._silence(line.removeprefix("... "))
        elif match is None:
            self._directive(*line.partition(" ")[::2])
        else:
            after = self._after(match["seconds"])
            connection = count(match["connection"] or "1", 32)
            if match["arrow"] == "---":
                self._note(match["rest"], connection, after)
            else:
                self._message(_SIDES[match["arrow"]], match["rest"], connection, after)
        return self.conversation.records[before:]

    def _after(self, seconds: str | None) -> int:
        """The time since the previous record; `seconds` counts from the first one."""
        records = self.conversation.records
        if seconds is None or not records:
            return MILLISECOND
        return max(0, records[0].received + (duration(f"{seconds}s") or 0) - records[-1].received)

    def _silence(self, text: str) -> None:
        length = duration(text.strip())
        if length is None:
            raise ConversationError(f"{text!r} is not a duration; write ... 2s")
        self.conversation.silence(length)

    def _directive(self, word: str, name: str) -> None:
        name = name.strip()
        if word not in ("dialect", "device", "byte-order"):
            raise ConversationError(f"no line begins with {word!r}: write F>B, B>F, --- or ... 2s")
        if self.conversation.records:
            raise ConversationError(f"{word} must come before the first message")
        if word == "dialect":
            dialect = dialect_by_name(name)
            if dialect is None:
                raise ConversationError(f"unknown dialect {name!r}; use {', '.join(each.key for each in DIALECTS)}")
            self._protocol = dialect.protocol
        elif word == "device":
            self._device = device_by_name(name)
            if self._device is None:
                raise ConversationError(f"unknown device type {name!r}; use {', '.join(each.name for each in DEVICES)}")
        elif name == "big":
            self._byte_order = "big"
        elif name != "little":
            raise ConversationError(f"byte-order must be little or big, not {name!r}")
        self._begin()

    def _message(self, side: Side, text: str, connection: int, after: int) -> None:
        match = _MESSAGE.fullmatch(text)
        if match is None:
            raise ConversationError(f"{text!r} does not begin with the name of a message")
        channel = _CHANNELS[match["channel"] or Channel.MAIN.label]
        words = match["words"] or ""
        whole = _MALFORMED.search(words)
        if whole is not None or match["name"] == "bytes":
            self._raw(side, channel, whole["bytes"] if whole else words, connection, after)
            return
        name = count(match["name"], 32) if match["name"].isdecimal() else match["name"]
        row = self.conversation.row(name, channel)
        state = self.session.states.get(connection)
        device = self._device or (state.guess.device if state is not None else None)
        context = Context(row, side is not channel.initiator, state, device)
        options = {"after": after, "connection": connection} | read_contents(words, context, self._objects)
        self.conversation.say(side, name, channel, **options)

    def _raw(self, side: Side, channel: Channel, text: str, connection: int, after: int) -> None:
        text, descriptors = self._objects.take(text)
        try:
            data = bytes.fromhex(text)
        except ValueError:
            raise ConversationError(f"{text.strip()!r} is not hexadecimal") from None
        self.conversation.raw(side, data, channel, descriptors=descriptors, connection=connection, after=after)

    def _note(self, text: str, connection: int, after: int) -> None:
        talk = self.conversation
        if match := _OPENED.fullmatch(text):
            pids = {f"{side}_pid": count(match[group], 32) for side, group in _PIDS if match[group]}
            number = count(match["number"], 32) if match["number"] else connection
            talk.open(match["front"], match["back"], number, after, **pids)
        elif match := _CLOSED.fullmatch(text):
            number = count(match["number"], 32) if match["number"] else connection
            talk.close(match["by"], match["how"] or "eof", number, after)
        elif match := _CHANNEL_OPENED.fullmatch(text):
            talk.event(RecordKind.CHANNEL_OPENED, _CHANNELS[match["channel"]], connection, after)
        elif match := _CHANNEL_CLOSED.fullmatch(text):
            channel = _CHANNELS[match["channel"]]
            talk.event(RecordKind.CHANNEL_CLOSED, channel, connection, after, by=match["by"], how=match["how"] or "eof")
        elif match := _GAP.fullmatch(text):
            missing = count(match["messages"], 64)
            talk.event(RecordKind.GAP, Channel.MAIN, connection, after, messages=missing, reason=match["reason"])
        elif match := _NOTE.fullmatch(text):
            talk.event(RecordKind.NOTE, Channel.MAIN, connection, after, text=match["text"])
        elif seen := read_observation(text):
            talk.event(RecordKind.RING_OBSERVED, Channel.MAIN, connection, after, **seen.details)
        else:
            raise ConversationError(
                f"--- {text!r} is not understood: write connection, closed by, channel opened, ring or note"
            )
