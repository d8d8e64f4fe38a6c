"""What two peers said, as records of a capture: the language in Python. The text form is `text`'s.

talk = Conversation()
talk.open("qemu-system-x86", "virtiofsd")
talk.ask("GET_FEATURES", features=0)
talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),), need_reply=True)
talk.silence(2 * SECOND)
talk.close("back-end")
"""

import struct
from collections.abc import Mapping
from typing import Any

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import NO_DETAILS, Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.protocol.model import Answer, Channel, Layout, Row, Side
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.session.event import Event
from vudissect.session.session import Session
from vudissect.wire.codec import Codec
from vudissect.wire.fields import from_fields
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION, ByteOrder, struct_of

EPOCH = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000

_FORWARDING = 1000
_SNAPLEN = 1 << 24
# What is wrong may be a whole line, and that of any length.
_LONGEST_ERROR = 300
# What is written by hand has less, a transcript that was composed again hardly more; it is all kept in memory.
_MOST_RECORDS = 1_000_000
_MOST_BYTES = 1 << 28


class ConversationError(ValueError):
    """Something that cannot be said; the text names it."""

    def __init__(self, text: str) -> None:
        half = _LONGEST_ERROR // 2
        super().__init__(text if len(text) <= _LONGEST_ERROR else f"{text[:half]}…{text[-half:]}")


def layouts_of(row: Row, reply: bool) -> tuple[Layout, ...]:
    """The layouts of a message, or of its answer, that the row names; the acknowledgement is not among them."""
    return row.reply if reply and row.answer is not Answer.IF_REPLY_ALL else row.request


class Conversation:
    """Collects records; every message comes one millisecond after the one before it, unless said otherwise."""

    def __init__(self, byte_order: ByteOrder = "little", protocol: Protocol = UPSTREAM) -> None:
        self.protocol = protocol
        self.records: list[Record] = []
        self._codec = Codec(protocol, byte_order)
        self._header = struct_of("III", byte_order)
        self._marks = Mark.BIG_ENDIAN if byte_order == "big" else Mark(0)
        self._now = 0
        self._bytes = 0

    def front_end(self, name: str | int, channel: Channel = Channel.MAIN, /, **options: Any) -> None:
        """The front-end says something: a request on the main channel, else a reply. Options as of `say`."""
        self.say(Side.FRONT_END, name, channel, **options)

    def back_end(self, name: str | int, channel: Channel = Channel.MAIN, /, **options: Any) -> None:
        """The back-end says something: a reply on the main channel, else a request. Options as of `say`."""
        self.say(Side.BACK_END, name, channel, **options)

    def ask(self, name: str | int, channel: Channel = Channel.MAIN, /, **answer: Any) -> None:
        """A question without contents, and its answer."""
        self.say(channel.initiator, name, channel)
        other = Side.BACK_END if channel.initiator is Side.FRONT_END else Side.FRONT_END
        self.say(other, name, channel, **answer)

    def say(
        self,
        side: Side,
        name: str | int,
        channel: Channel = Channel.MAIN,
        *,
        layout: Layout | str | None = None,
        ack: int | None = None,
        payload: bytes | None = None,
        need_reply: bool = False,
        header_flags: int | None = None,
        header_size: int | None = None,
        descriptors: tuple[Descriptor, ...] = (),
        connection: int = 1,
        marks: int = 0,
        cut_short: int | None = None,
        after: int = MILLISECOND,
        **fields: Any,
    ) -> None:
        """One message: a name or number of the table with its fields, or any number with a `payload`.

        The payload has the first `layout` of its row, or the one given (itself or its name); `ack` makes an
        acknowledgement with this result. `header_flags` and `header_size` stand in the header whatever is right.
        Of a message `cut_short`, only so many bytes came. `after` is the time (ns) since the record before.
        """
        reply = side is not channel.initiator
        row = self.row(name, channel)
        if payload is None:
            if row is None:
                raise ConversationError(f"the {channel.label} channel has no message {name}; give its payload")
            chosen, fields = (ACK, {"result": ack}) if ack is not None else (self.layout(row, layout, reply), fields)
            payload = self._payload(row, chosen, fields)
        flags = 0 if channel is Channel.GPU else VERSION if row is None else row.version
        flags |= (REPLY if reply else 0) | (NEED_REPLY if need_reply else 0)
        data = (
            self._pack_header(
                row.id if row is not None else int(name),
                flags if header_flags is None else header_flags,
                len(payload) if header_size is None else header_size,
            )
            + payload
        )
        if cut_short is not None:
            if not 0 <= cut_short <= len(data):
                raise ConversationError(f"a message of {len(data)} bytes is not cut short to {cut_short}")
            data, marks = data[:cut_short], marks | Mark.CUT_SHORT
        self.raw(side, data, channel, descriptors=descriptors, connection=connection, marks=marks, after=after)

    def raw(self, side: Side, data: bytes, channel: Channel = Channel.MAIN, **options: Any) -> None:
        """Any bytes, from the header on."""
        self._record(RecordKind.MESSAGE, side, channel, data, **options)

    def silence(self, duration: int) -> None:
        """Nobody says anything for so many nanoseconds."""
        self._now += duration

    def open(
        self,
        front_end: str = "",
        back_end: str = "",
        connection: int = 1,
        after: int = MILLISECOND,
        **details: str | int,
    ) -> None:
        """A connection is opened between two programs of these names."""
        named: dict[str, str | int] = {"front_end_command": front_end, "back_end_command": back_end, **details}
        self._record(
            RecordKind.CONNECTION_OPENED,
            Side.PROXY,
            Channel.MAIN,
            b"",
            connection=connection,
            after=after,
            details=named,
        )

    def close(self, by: str, how: str = "eof", connection: int = 1, after: int = MILLISECOND) -> None:
        """A connection is closed by `front-end` or `back-end`."""
        self.event(RecordKind.CONNECTION_CLOSED, connection=connection, after=after, by=by, how=how)

    def event(
        self,
        kind: RecordKind,
        channel: Channel = Channel.MAIN,
        connection: int = 1,
        after: int = MILLISECOND,
        **details: str | int,
    ) -> None:
        """Something that the proxy noted."""
        self._record(kind, Side.PROXY, channel, b"", connection=connection, after=after, details=details)

    def row(self, name: str | int, channel: Channel) -> Row | None:
        """The row of a name or number; `ConversationError` for a name that the channel does not know."""
        if isinstance(name, int):
            return self.protocol.request(channel, name)
        for row in self.protocol.find(name):
            if row.channel is channel:
                return row
        raise ConversationError(f"the {channel.label} channel has no message {name}")

    def layout(self, row: Row, wanted: Layout | str | None, reply: bool) -> Layout:
        """The layout of a row that is meant; `ConversationError` where there is none."""
        if isinstance(wanted, Layout):
            return wanted
        known = layouts_of(row, reply)
        if reply and row.answer not in (Answer.ALWAYS, Answer.IF_REPLY_ALL):
            known = (*known, ACK)
        for layout in known:
            if wanted is None or layout.is_called(wanted):
                return layout
        raise ConversationError(
            f"{row.name} has no layout {wanted!r}; it has {', '.join(each.words for each in known)}"
        )

    def _pack_header(self, number: int, flags: int, size: int) -> bytes:
        try:
            return self._header.pack(number, flags, size)
        except struct.error as error:
            raise ConversationError(f"header of message {number}, flags {flags}, size {size}: {error}") from None

    def _payload(self, row: Row, layout: Layout, fields: dict[str, Any]) -> bytes:
        try:
            message = self._codec.encode(row, layout, from_fields(layout, fields))
        except (TypeError, ValueError) as error:
            raise ConversationError(f"{row.name}: {error}") from None
        return message[HEADER_SIZE:]

    def events(self, **options: Any) -> list[Event]:
        """What a session makes of it all."""
        return list(Session(protocol=self.protocol, **options).events(self.records))

    def capture(self) -> bytes:
        """The conversation as a capture file; `ConversationError` for numbers that no capture can hold."""
        encoder = CaptureEncoder("vudissect", "a conversation written by hand", _SNAPLEN, EPOCH)
        try:
            return encoder.preamble() + b"".join(map(encoder.record, self.records))
        except struct.error as error:
            raise ConversationError(f"a number does not fit into a capture: {error}") from None

    def _record(
        self,
        kind: RecordKind,
        side: Side,
        channel: Channel,
        data: bytes,
        *,
        descriptors: tuple[Descriptor, ...] = (),
        connection: int = 1,
        marks: int = 0,
        length: int | None = None,
        after: int = MILLISECOND,
        details: Mapping[str, str | int] = NO_DETAILS,
    ) -> None:
        self._now += after
        self._bytes += len(data)
        if len(self.records) == _MOST_RECORDS or self._bytes > _MOST_BYTES:
            raise ConversationError(f"a conversation has at most {_MOST_RECORDS} lines and {_MOST_BYTES} bytes")
        frame = len(self.records) + 1
        self.records.append(
            Record(
                kind,
                connection,
                channel,
                side,
                frame,
                self._now,
                self._now + _FORWARDING,
                EPOCH + self._now,
                len(data) if length is None else length,
                data,
                Mark(self._marks | marks),
                descriptors,
                details,
                frame,
            )
        )
