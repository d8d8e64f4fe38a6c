"""A session as values, as the side that is played here has it: messages, writes to shared memory, kicks, hang-ups.

As text it is a conversation (docs/conversation.md); what no message does is a comment there:

    F>B SET_VRING_NUM index=0 num=65535
    # write mem#1 at 0x1000: 0100ff
    # kick evt#2
    --- closed by front-end
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.conversation.conversation import Conversation, ConversationError
from vudissect.conversation.objects import Objects
from vudissect.conversation.text import Reader
from vudissect.fuzz.lines import LINES, line_of, name_of, prefix_of
from vudissect.host.descriptor import Descriptor
from vudissect.protocol.model import Channel, Row, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.protocol.unknown import message_name, unknown_row
from vudissect.wire.header import HEADER_SIZE, VERSION, struct_of

_HEADER = struct_of("III", "little")
_WRITE = re.compile(r"# write (\w+)#(\w+) at (0x[0-9a-f]+|\d+): ([0-9a-f]+)")
_CHANNELS = {
    Side.FRONT_END: (Channel.MAIN, Channel.BACKEND, Channel.GPU),
    Side.BACK_END: (Channel.MAIN, Channel.BACKEND),
}
_KICK = re.compile(r"# kick (\w+)#(\w+)")
_SEND = re.compile(r"# send to (\w+)#(\w+): ([0-9a-f]+)")
_CLOSE = re.compile(r"# close (\w+)#(\w+)")
MOST_STEPS = 400
"""Longer sessions take too long: a capture can have a hundred thousand messages."""


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
        return f"# write {name_of(self.memory)} at {self.offset:#x}: {self.data.hex()}"


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
        return f"# kick {name_of(self.descriptor)}"


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes are written to the other end of a pipe or socket that was passed."""

    descriptor: Descriptor
    data: bytes

    @property
    def name(self) -> str:
        """What to call it."""
        return "send"

    @property
    def line(self) -> str:
        """As a line of a conversation."""
        return f"# send to {name_of(self.descriptor)}: {self.data.hex()}"


@dataclass(frozen=True, slots=True)
class Close:
    """The other end of a pipe or socket that was passed is closed."""

    descriptor: Descriptor

    @property
    def name(self) -> str:
        """What to call it."""
        return "close of a stream"

    @property
    def line(self) -> str:
        """As a line of a conversation."""
        return f"# close {name_of(self.descriptor)}"


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
        return f"{prefix_of(self.connection)}--- closed by {self.by.label}"


@dataclass(frozen=True, slots=True)
class Wait:
    """A back-end waits for the next message of the front-end with this number, and answers all others until then.

    What it does next with the main channel takes the place of the answer.
    """

    data: bytes
    descriptors: tuple[Descriptor, ...] = ()
    connection: int = 1

    @property
    def message(self) -> Message:
        """The message of the front-end, as it was when the session was recorded."""
        return Message(self.data, self.descriptors, self.connection)

    @property
    def name(self) -> str:
        """What to call it."""
        return self.message.name

    @property
    def line(self) -> str:
        """As a line of a conversation."""
        return self.message.line


@dataclass(frozen=True, slots=True)
class Pause:
    """What a back-end does that is no message: `SILENCE` or `SETTLE`."""

    name: str

    @property
    def line(self) -> str:
        """As a line of a conversation."""
        return f"# {self.name}"


SILENCE = Pause("no answer")
"""The message that was waited for is not answered; or the next request of the back-end, if a front-end is played."""
SETTLE = Pause("as far as it comes")
"""Everything is answered until the front-end has come as far as it does without a flaw."""

Step = Message | Write | Kick | Send | Close | HangUp | Wait | Pause
Steps = tuple[Step, ...]


def text_of(steps: Iterable[Step]) -> str:
    """The steps, a line each."""
    return "".join(f"{step.line}\n" for step in steps)


def read_steps(text: str, plays: Side = Side.FRONT_END) -> Steps:
    """The steps of the side that is played; `ConversationError` names the line that is wrong, and why."""
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
                known |= {name_of(each): each for each in record.descriptors}
                if (step := step_of(record, plays)) is not None:
                    steps.append(step)
        except ConversationError as error:
            raise ConversationError(f"line {number}: {error}") from None
    return tuple(steps)


def step_of(record: Record, plays: Side = Side.FRONT_END) -> Step | None:
    """The step that a record is for the side that is played; None if it is none.

    What a front-end sends on other channels than the main one are answers.
    """
    if record.kind is RecordKind.CONNECTION_CLOSED and record.details.get("by") == plays.label:
        return HangUp(record.connection, plays)
    if record.kind is not RecordKind.MESSAGE or not record.data or record.channel not in _CHANNELS[plays]:
        return None
    if record.sender is plays:
        return Message(record.data, record.descriptors, record.connection, None, plays, record.channel)
    if plays is Side.BACK_END and record.channel is Channel.MAIN:
        return Wait(record.data, record.descriptors, record.connection)
    return None


def message(number: int, payload: bytes, descriptors: tuple[Descriptor, ...] = (), connection: int = 1) -> Message:
    """A message with a right header."""
    return Message(_HEADER.pack(number, VERSION, len(payload)) + payload, descriptors, connection)


def in_turn(steps: Iterable[Step]) -> Steps:
    """The same steps, one connection after the other, as most back-ends serve one at a time: each ends with a close.

    Without what is done with descriptors that no message before has passed: as text it has no meaning.
    """
    connection = 1
    turned: list[Step] = []
    passed: set[str] = set()
    for step in steps:
        if isinstance(step, Message | Wait):
            passed.update(map(name_of, step.descriptors))
        elif isinstance(step, Write | Kick | Send | Close) and name_of(_used(step)) not in passed:
            continue
        if isinstance(step, Message | HangUp | Wait) and step.connection != connection:
            step = replace(step, connection=connection)
        turned.append(step)
        connection += isinstance(step, HangUp)
    return tuple(turned)


def _used(step: Write | Kick | Send | Close) -> Descriptor:
    return step.memory if isinstance(step, Write) else step.descriptor


def chained(sessions: Iterable[Steps], end: Steps = (HangUp(),)) -> Steps:
    """Several sessions as one, each on connections of its own; `end` is how each of them ends."""
    return in_turn(step for session in sessions for step in (*session, *end))


def described(kind: str, name: str, about: str = "") -> Descriptor:
    """The descriptor that a conversation describes so, such as `mem`, `ram` and `memfd ram 16M`."""
    return Objects().take(f"{kind}#{name}{f' ({about})' if about else ''}")[1][0]


@lru_cache(LINES)
def _record(
    data: bytes, descriptors: tuple[Descriptor, ...], connection: int, sender: Side, channel: Channel
) -> Record:
    talk = Conversation()
    marks = Mark.CUT_SHORT if len(data) < HEADER_SIZE else Mark(0)
    talk.raw(sender, data, channel, descriptors=descriptors, connection=connection, marks=marks)
    return talk.records[0]


def _comment(line: str, known: dict[str, Descriptor]) -> Step | None:
    if written := _WRITE.fullmatch(line):
        kind, name, offset, data = written.groups()
        return Write(_known(known, kind, name), int(offset, 0), bytes.fromhex(data))
    if kicked := _KICK.fullmatch(line):
        return Kick(_known(known, *kicked.groups()))
    if sent := _SEND.fullmatch(line):
        kind, name, data = sent.groups()
        return Send(_known(known, kind, name), bytes.fromhex(data))
    if closed := _CLOSE.fullmatch(line):
        return Close(_known(known, *closed.groups()))
    return next((each for each in (SILENCE, SETTLE) if line == each.line), None)


def _known(known: dict[str, Descriptor], kind: str, name: str) -> Descriptor:
    if (found := known.get(f"{kind}#{name}")) is None:
        raise ConversationError(f"no message before this line passes {kind}#{name}")
    return found
