"""Conversations in Python: messages between two peers as records of a capture. `text` reads the text form.

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
from vudissect.protocol.unknown import unknown_row
from vudissect.session.event import Event
from vudissect.session.session import Session
from vudissect.wire.codec import codec_of
from vudissect.wire.errors import FieldError
from vudissect.wire.fields import from_fields
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, ByteOrder, struct_of

EPOCH = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000

_FORWARDING = 1000
_SNAPLEN = 1 << 24
# An error may quote a whole line, of any length.
_MAX_ERROR = 300
# Everything is kept in memory. Conversations written by hand are far smaller, transcripts are rarely larger.
_MAX_RECORDS = 1_000_000
MAX_MESSAGE = 1 << 24
"""The largest message: a typing error must not fill the memory."""
_MAX_BYTES = 1 << 28


class ConversationError(ValueError):
    """Something that a conversation cannot express; the text names it."""

    def __init__(self, text: str) -> None:
        half = _MAX_ERROR // 2
        super().__init__(text if len(text) <= _MAX_ERROR else f"{text[:half]}…{text[-half:]}")


def layouts_of(row: Row, reply: bool) -> tuple[Layout, ...]:
    """The layouts that the row has for a request or a reply, without the acknowledgement."""
    return row.reply if reply and row.answer is not Answer.IF_REPLY_ALL else row.request


class Conversation:
    """Collects records; each comes one millisecond after the previous one unless `after` is given."""

    def __init__(self, byte_order: ByteOrder = "little", protocol: Protocol = UPSTREAM) -> None:
        self.protocol = protocol
        self.records: list[Record] = []
        self.write_in(byte_order)
        self._now = 0
        self._bytes = 0

    def speak(self, protocol: Protocol) -> None:
        """Messages from here on are those of this dialect."""
        self.protocol = protocol

    def write_in(self, byte_order: ByteOrder) -> None:
        """Messages from here on are in this byte order."""
        self._byte_order = byte_order
        self._header = struct_of("III", byte_order)
        self._marks = Mark.BIG_ENDIAN if byte_order == "big" else Mark(0)

    def forwarded_before(self, place: int, duration: int) -> None:
        """The message at this place of `records` was forwarded `duration` nanoseconds before the latest was received.

        If that is before it was received itself, it was forwarded at once.
        """
        message, latest = self.records[place], self.records[-1]
        forwarded = max(message.received, latest.received - duration)
        self.records[place] = message._replace(forwarded=forwarded)

    def front_end(self, name: str | int, channel: Channel = Channel.MAIN, /, **options: Any) -> None:
        """The front-end sends a message: a request on the main channel, else a reply. Options as for `say`."""
        self.say(Side.FRONT_END, name, channel, **options)

    def back_end(self, name: str | int, channel: Channel = Channel.MAIN, /, **options: Any) -> None:
        """The back-end sends a message: a reply on the main channel, else a request. Options as for `say`."""
        self.say(Side.BACK_END, name, channel, **options)

    def ask(self, name: str | int, channel: Channel = Channel.MAIN, /, **answer: Any) -> None:
        """An empty request and its reply."""
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
        sent_back: bool = False,
        recorded: int | None = None,
        length: int | None = None,
        after: int = MILLISECOND,
        **fields: Any,
    ) -> None:
        """One message: a name or number from the table with its fields, or any number with a `payload`.

        The payload has the first layout of its row, or `layout` (itself or its name); `ack` makes it an
        acknowledgement with this result. `header_flags` and `header_size` go into the header even if they are wrong.
        A reply that is `sent_back` is the request with the error bit of the dialect.
        `cut_short` is how many bytes of the message arrived, `recorded` how many of its `length` were recorded, `after`
        the time (ns) since the previous record.
        """
        reply = side is not channel.initiator
        row = self.row(name, channel)
        if payload is None:
            if not row.known:
                raise ConversationError(f"the {channel.label} channel has no message {name}; give its payload")
            chosen = self.layout(row, layout, reply and not sent_back) if ack is None else ACK
            fields = fields if ack is None else {"result": ack}
            payload = self._payload(row, chosen, fields)
        size = len(payload) if length is None else max(0, length - HEADER_SIZE)
        flags = 0 if channel is Channel.GPU else row.version
        flags |= (REPLY if reply else 0) | (NEED_REPLY if need_reply else 0)
        data = (
            self._pack_header(
                (row.id if row.known else int(name)) | (self.protocol.header.error if sent_back else 0),
                flags if header_flags is None else header_flags,
                size if header_size is None else header_size,
            )
            + payload
        )
        if cut_short is not None:
            if not 0 <= cut_short <= len(data):
                raise ConversationError(f"a message of {len(data)} bytes cannot be cut short to {cut_short}")
            data, marks = data[:cut_short], marks | Mark.CUT_SHORT
        if recorded is not None:
            data = data.ljust(min(recorded, MAX_MESSAGE), b"\0")[:recorded]
        options = {"descriptors": descriptors, "connection": connection, "length": length, "after": after}
        self.raw(side, data, channel, marks=marks, **options)

    def raw(self, side: Side, data: bytes, channel: Channel = Channel.MAIN, **options: Any) -> None:
        """Any bytes, including the header."""
        self._record(RecordKind.MESSAGE, side, channel, data, **options)

    def silence(self, duration: int) -> None:
        """Nothing is sent for `duration` nanoseconds."""
        self._now += duration

    def open(
        self,
        front_end: str = "",
        back_end: str = "",
        connection: int = 1,
        after: int = MILLISECOND,
        **details: str | int,
    ) -> None:
        """A connection between two programs with these names is opened."""
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

    def row(self, name: str | int, channel: Channel) -> Row:
        """The row for a name or number; `ConversationError` for a name that the channel does not have."""
        if isinstance(name, int):
            return self.protocol.request(channel, name) or unknown_row(channel)
        for row in self.protocol.find(name):
            if row.channel is channel:
                return row
        raise ConversationError(f"the {channel.label} channel has no message {name}")

    def layout(self, row: Row, wanted: Layout | str | None, reply: bool) -> Layout:
        """The wanted layout of a row, by default the first; `ConversationError` if the row does not have it."""
        if isinstance(wanted, Layout):
            return wanted
        known = layouts_of(row, reply)
        if reply and row.answer not in (Answer.ALWAYS, Answer.IF_REPLY_ALL):
            known = (*known, ACK)
        for layout in known:
            if wanted is None or layout.is_called(wanted):
                return layout
        names = ", ".join(each.words for each in known)
        raise ConversationError(f"{row.name} has no layout {wanted!r}; its layouts: {names}")

    def _pack_header(self, number: int, flags: int, size: int) -> bytes:
        try:
            return self._header.pack(number, flags, size)
        except struct.error as error:
            raise ConversationError(f"header of message {number}, flags {flags}, size {size}: {error}") from None

    def _payload(self, row: Row, layout: Layout, fields: dict[str, Any]) -> bytes:
        try:
            codec = codec_of(self.protocol, self._byte_order)
            message = codec.encode(row, layout, from_fields(layout, fields, row.name))
        except FieldError as error:
            raise ConversationError(str(error)) from None
        return message[HEADER_SIZE:]

    def events(self, **options: Any) -> list[Event]:
        """The events of a session that reads all records."""
        return list(Session(protocol=self.protocol, **options).events(self.records))

    def capture(self) -> bytes:
        """The conversation as a capture file; `ConversationError` for numbers that do not fit into one."""
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
        if len(self.records) == _MAX_RECORDS or self._bytes > _MAX_BYTES:
            raise ConversationError(f"a conversation can have at most {_MAX_RECORDS} lines and {_MAX_BYTES} bytes")
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
                Mark((self._marks if kind is RecordKind.MESSAGE else 0) | marks),
                descriptors,
                details,
                frame,
            )
        )
