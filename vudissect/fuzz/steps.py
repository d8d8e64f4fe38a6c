"""A session as values, as the side that is played here has it: messages, writes to shared memory, kicks, hang-ups.

As text it is a conversation (docs/conversation.md); what no message does is a comment there:

    F>B SET_VRING_NUM index=0 num=65535
    # write mem#1 at 0x1000: 0100ff
    # kick evt#2
    --- closed by front-end
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.conversation.conversation import Conversation, ConversationError
from vudissect.conversation.objects import Objects
from vudissect.conversation.text import Reader
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Row, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.protocol.unknown import message_name, unknown_row
from vudissect.render.descriptors import kind_text
from vudissect.session.names import PREFIXES
from vudissect.wire.codec import codec_of
from vudissect.wire.fields import to_fields
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION, struct_of

_HEADER = struct_of("III", "little")
_WRITE = re.compile(r"# write (\w+)#(\w+) at (0x[0-9a-f]+|\d+): ([0-9a-f]+)")
_NOT_A_NAME = re.compile(r"\W")
_KICK = re.compile(r"# kick (\w+)#(\w+)")
MOST_STEPS = 400
"""Longer sessions take too long: a capture can have a hundred thousand messages."""

# The lines of a session repeat in the thousands that are derived from it.
_LINES = 4096
_ARROWS: Final = ("F>B", "B>F")


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the side that is played, as it is sent."""

    data: bytes
    descriptors: tuple[Descriptor, ...] = ()
    connection: int = 1
    was: "Message | None" = None
    """What it was before it was changed; None for a message that was not, or of which that is not known."""
    sender: Side = Side.FRONT_END
    channel: Channel = Channel.MAIN

    @property
    def number(self) -> int:
        """Its number in the table, -1 if the header is cut short."""
        return int.from_bytes(self.data[:4], "little") if len(self.data) >= 4 else -1

    @property
    def row(self) -> Row | None:
        """Its row in the table, None for a message that is not there."""
        return UPSTREAM.request(self.channel, self.number)

    @property
    def name(self) -> str:
        """What to call it."""
        return message_name(self.row or unknown_row(self.channel), self.number)

    def forget(self) -> "Message":
        """The same, without what it was."""
        return replace(self, was=None)

    @property
    def whole(self) -> bool:
        """Whether it is as long as its header says."""
        return len(self.data) >= HEADER_SIZE and len(self.data) - HEADER_SIZE == _HEADER.unpack_from(self.data)[2]

    @property
    def record(self) -> Record:
        """As a record, to be sent."""
        return _record(self.data, self.descriptors, self.connection, self.sender, self.channel)

    @property
    def line(self) -> str:
        """As a line of a conversation."""
        return line_of(self.record)


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that are written into memory that was passed, at an offset in its file."""

    memory: Descriptor
    offset: int
    data: bytes

    @property
    def name(self) -> str:
        """What to call it."""
        return "write"

    @property
    def line(self) -> str:
        """As a line of a conversation."""
        return f"# write {_name(self.memory)} at {self.offset:#x}: {self.data.hex()}"


@dataclass(frozen=True, slots=True)
class Kick:
    """A kick descriptor is written to."""

    descriptor: Descriptor

    @property
    def name(self) -> str:
        """What to call it."""
        return "kick"

    @property
    def line(self) -> str:
        """As a line of a conversation."""
        return f"# kick {_name(self.descriptor)}"


@dataclass(frozen=True, slots=True)
class HangUp:
    """The side that is played closes its connection. The next message is sent on another one."""

    connection: int = 1
    by: Side = Side.FRONT_END

    @property
    def name(self) -> str:
        """What to call it."""
        return "close"

    @property
    def line(self) -> str:
        """As a line of a conversation."""
        return f"{_prefix(self.connection)}--- closed by {self.by.label}"


Step = Message | Write | Kick | HangUp
Steps = tuple[Step, ...]


def text_of(steps: Iterable[Step]) -> str:
    """The steps, a line each."""
    return "".join(f"{step.line}\n" for step in steps)


def read_steps(text: str) -> Steps:
    """The front-end's side of a conversation; `ConversationError` names the line that is wrong, and why."""
    steps: list[Step] = []
    reader = Reader()
    known: dict[str, Descriptor] = {}
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        try:
            if (step := _comment(line, known)) is not None:
                steps.append(step)
                continue
            for record in reader.compose(line):
                reader.session.feed(record)
                known |= {_name(each): each for each in record.descriptors}
                if (step := step_of(record)) is not None:
                    steps.append(step)
        except ConversationError as error:
            raise ConversationError(f"line {number}: {error}") from None
    return tuple(steps)


def step_of(record: Record) -> Step | None:
    """The step that a record is; None for what the front-end does not do on the main channel."""
    if record.channel is not Channel.MAIN:
        return None
    if record.kind is RecordKind.CONNECTION_CLOSED and record.details.get("by") == Side.FRONT_END.label:
        return HangUp(record.connection)
    if record.kind is RecordKind.MESSAGE and record.sender is Side.FRONT_END and record.data:
        return Message(record.data, record.descriptors, record.connection)
    return None


def message(number: int, payload: bytes, descriptors: tuple[Descriptor, ...] = (), connection: int = 1) -> Message:
    """A message with a right header."""
    return Message(_HEADER.pack(number, VERSION, len(payload)) + payload, descriptors, connection)


def in_turn(steps: Iterable[Step]) -> Steps:
    """The same steps, one connection after the other, as most back-ends serve one at a time: each ends with a close."""
    connection = 1
    turned: list[Step] = []
    for step in steps:
        if isinstance(step, Message | HangUp) and step.connection != connection:
            step = replace(step, connection=connection)
        turned.append(step)
        connection += isinstance(step, HangUp)
    return tuple(turned)


def chained(sessions: Iterable[Steps], end: Steps = (HangUp(),)) -> Steps:
    """Several sessions as one, each on connections of its own; `end` is how each of them ends."""
    return in_turn(step for session in sessions for step in (*session, *end))


def described(kind: str, name: str, about: str = "") -> Descriptor:
    """The descriptor that a conversation describes so, such as `mem`, `ram` and `memfd ram 16M`."""
    return Objects().take(f"{kind}#{name}{f' ({about})' if about else ''}")[1][0]


@lru_cache(_LINES)
def _record(
    data: bytes, descriptors: tuple[Descriptor, ...], connection: int, sender: Side, channel: Channel
) -> Record:
    talk = Conversation()
    marks = Mark.CUT_SHORT if len(data) < HEADER_SIZE else Mark(0)
    talk.raw(sender, data, channel, descriptors=descriptors, connection=connection, marks=marks)
    return talk.records[0]


def line_of(record: Record) -> str:
    """A message of either side as a line that reads back as exactly this message: by its fields if they can say it."""
    return _line(record.data, record.descriptors, record.connection, record.sender, record.channel)


@lru_cache(_LINES)
def _line(data: bytes, descriptors: tuple[Descriptor, ...], connection: int, sender: Side, channel: Channel) -> str:
    before = f"{_prefix(connection)}{_ARROWS[sender]} {'' if channel is Channel.MAIN else f'{channel.label}: '}"
    after = "".join(f" {_name(each, sender)}{_about(each)}" for each in descriptors)
    for words in _candidates(data, sender, channel):
        line = f"{before}{words}{after}"
        try:
            read = Reader().compose(line)[0]
        except ConversationError:
            continue
        if read.data == data and len(read.descriptors) == len(descriptors):
            return line
    return f"{before}bytes {data.hex()}{after}"


def _candidates(data: bytes, sender: Side, channel: Channel) -> Iterable[str]:
    if len(data) < HEADER_SIZE:
        return
    number, flags, size = _HEADER.unpack_from(data)
    # The fields of the payload that is there, even if the header has another size.
    honest = _HEADER.pack(number, flags, len(data) - HEADER_SIZE) + data[HEADER_SIZE:]
    decoded = codec_of(UPSTREAM, "little").decode(channel, sender, honest)
    if not decoded.row.known or number != decoded.row.id:
        return
    header = ""
    usual = VERSION | (REPLY if decoded.reply else 0)
    if flags == usual | NEED_REPLY:
        header += " need_reply"
    elif flags != usual:
        header += f" header_flags={flags:#x}"
    if size != len(data) - HEADER_SIZE:
        header += f" header_size={size}"
    if decoded.fits:
        fields = to_fields(decoded.layout, decoded.values)
        yield f"{decoded.name} ({decoded.layout.words}){_words(fields)}{header}"
    yield f"{decoded.name} payload={data[HEADER_SIZE:].hex()}{header}"


def _words(fields: dict[str, object]) -> str:
    words = ""
    for name, value in fields.items():
        if isinstance(value, list):
            for number, entry in enumerate(value):
                words += f" {name.removesuffix('s')}{number}{_words(entry)}"
        elif isinstance(value, int):
            words += f" {name}={value:#x}" if value > 9999 else f" {name}={value}"
        else:
            words += f" {name}={value}"
    return words


def _comment(line: str, known: dict[str, Descriptor]) -> Step | None:
    if written := _WRITE.fullmatch(line):
        kind, name, offset, data = written.groups()
        return Write(_known(known, kind, name), int(offset, 0), bytes.fromhex(data))
    if kicked := _KICK.fullmatch(line):
        return Kick(_known(known, *kicked.groups()))
    return None


def _known(known: dict[str, Descriptor], kind: str, name: str) -> Descriptor:
    if (found := known.get(f"{kind}#{name}")) is None:
        raise ConversationError(f"no message before this line passes {kind}#{name}")
    return found


def _name(descriptor: Descriptor, sender: Side = Side.FRONT_END) -> str:
    """Its name; those of what the back-end made do not mix with ours."""
    name = _NOT_A_NAME.sub("", descriptor.identity.rpartition(":")[2])
    return f"{PREFIXES.get(descriptor.kind, 'fd')}#{'' if sender is Side.FRONT_END else 'b'}{name}"


def _about(descriptor: Descriptor) -> str:
    if descriptor.kind is DescriptorKind.PIPE:
        return "" if descriptor.flags & os.O_ACCMODE else " (to read)"
    return f" ({text})" if (text := kind_text(descriptor)) else ""


def _prefix(connection: int) -> str:
    return f"c{connection} " if connection != 1 else ""
