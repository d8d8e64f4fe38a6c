"""Bytes to messages and back, compiled from the message table.

Decoding never raises: whatever the bytes are, the result is a `WireMessage` that keeps all of them and has the
`problem`, if any. Encoding raises a `FieldError` for values that do not fit.

Nearly all messages are well-formed and of a fixed size, and have one of a few headers. The meaning of such a
header is computed once and kept as a `Form`; a message of a known form costs one look-up and one `unpack`.
Code that handles messages can cache by form in the same way, because the number of forms is limited.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from vudissect.protocol.model import Answer, Channel, Layout, Row, Side
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import Protocol
from vudissect.protocol.unknown import NO_LAYOUT, message_name, unknown_row
from vudissect.wire.header import (
    HEADER_SIZE,
    NAMED_SIZE,
    NEED_REPLY,
    REPLY,
    VERSION,
    VERSION_MASK,
    ByteOrder,
    struct_of,
)
from vudissect.wire.layout import LayoutCodec, Values

_VERSION_AND_REPLY = VERSION_MASK | REPLY
_HEADER_CODES = "III"
_new = tuple.__new__

# Nobody sets other flags than version, REPLY and NEED_REPLY; other headers are decoded in full each time.
_MOST_FLAGS = VERSION_MASK | REPLY | NEED_REPLY


@dataclass(eq=False, repr=False)
class Form:
    """What all well-formed messages with the same header have in common, on one channel in one direction.

    `length` is that of the whole message, and `unpack` decodes its values. Compared by identity.
    """

    channel: Channel
    sender: Side
    row: Row
    reply: bool
    id: int
    flags: int
    size: int
    layout: Layout
    length: int
    unpack: Callable[[bytes, int], Values]


class WireMessage(NamedTuple):
    """A message as decoded.

    A number that is not in the table has an `unknown_row`, a payload that fits no layout has `NO_LAYOUT`.
    `values` are the fields of `layout` in order, integers as on the wire; an array is a tuple of tuples. `size` is
    the payload size in the header; `data` are the available bytes from the header on.
    `problem` is empty for a well-formed message. `error`: a failed request, sent back with the error bit, which
    `id` does not include. `form` is shared with similar messages; None for malformed ones and those without fixed size.
    """

    row: Row
    reply: bool
    id: int
    flags: int
    size: int
    layout: Layout
    values: Values
    problem: str
    data: bytes
    error: bool = False
    form: Form | None = None

    @property
    def name(self) -> str:
        """The name in the table, `message 1000` for one that is not in it."""
        return message_name(self.row, self.id)

    @property
    def fits(self) -> bool:
        """Whether the payload fits a layout, and there are values."""
        return self.layout is not NO_LAYOUT


class _Shapes(NamedTuple):
    """The possible payloads of one message in one direction, as codecs, in the order in which to try them."""

    row: Row
    layouts: tuple[LayoutCodec, ...]


class _Direction:
    """Everything needed to decode what one side sends on one channel."""

    def __init__(self, protocol: Protocol, channel: Channel, sender: Side, byte_order: ByteOrder) -> None:
        self.channel = channel
        self.sender = sender
        self.reply = sender is not channel.initiator
        self.unknown = unknown_row(channel)
        self.shapes = {
            row.id: _Shapes(row, _codecs(forms(row, reply=self.reply), byte_order)) for row in protocol.channel(channel)
        }
        # A message with the error bit is a request sent back, whatever the reply would have been.
        self.failures = (
            {row.id: _Shapes(row, _codecs(forms(row), byte_order)) for row in protocol.channel(channel)}
            if protocol.header.error and self.reply
            else {}
        )
        # The version and REPLY flag required in this direction. The GPU channel has no version, and its requests have
        # whatever was in memory (vhost-user-gpu's UPDATE), so nothing is checked there.
        self.flags_mask = _VERSION_AND_REPLY if channel is not Channel.GPU else 0
        self.flags_wanted = (VERSION | (REPLY if self.reply else 0)) & self.flags_mask
        self.versions = protocol.header.versions
        # From (number, payload size) to the only layout of that size, for the many messages that have only one.
        self.fixed: dict[tuple[int, int], tuple[Row, LayoutCodec]] = {}
        # The forms seen so far, by the bytes of their header.
        self.forms: dict[bytes, Form] = {}
        for number, (row, codecs) in self.shapes.items():
            for codec in codecs:
                size = codec.layout.size
                alone = [other for other in codecs if other.may_have(size)] == [codec] if size is not None else False
                if size is not None and alone and codec.plain:
                    self.fixed[number, size] = (row, codec)

    def new_form(self, header: bytes, number: int, flags: int, size: int) -> Form | None:
        """The form of a header that is seen for the first time; None if it has none."""
        known = self.fixed.get((number, size))
        if known is None or flags > _MOST_FLAGS or flags & self.flags_mask != self.flags_wanted:
            return None
        row, codec = known
        length = HEADER_SIZE + size
        form = Form(
            self.channel, self.sender, row, self.reply, number, flags, size, codec.layout, length, codec.unpack_fixed
        )
        self.forms[header] = form
        return form


@cache
def forms(row: Row, *, reply: bool = False) -> tuple[Layout, ...]:
    """The possible layouts of a message in one direction, in the order in which to try them."""
    if not reply or row.answer is Answer.IF_REPLY_ALL:
        return tuple(sorted(row.request, key=lambda layout: layout.when is None))
    if row.answer in (Answer.ALWAYS, Answer.NEVER):
        return tuple(sorted(row.reply, key=lambda layout: layout.when is None))
    # An acknowledgement looks like an empty memory table, which nobody sends as a reply: try it first.
    exact = tuple(layout for layout in row.reply if layout.size is not None)
    return (*exact, ACK, *(layout for layout in row.reply if layout.size is None))


def _codecs(layouts: tuple[Layout, ...], byte_order: ByteOrder) -> tuple[LayoutCodec, ...]:
    return tuple(layout_codec(layout, byte_order) for layout in layouts)


class Codec:
    """Decodes and encodes the messages of one protocol in one byte order."""

    def __init__(self, protocol: Protocol, byte_order: ByteOrder) -> None:
        self.protocol = protocol
        self.byte_order = byte_order
        self._header = struct_of(_HEADER_CODES, byte_order)
        self._unpack_header = self._header.unpack_from
        self._directions = tuple(
            tuple(_Direction(protocol, channel, side, byte_order) for side in (Side.FRONT_END, Side.BACK_END))
            for channel in Channel
        )

    def decode(self, channel: Channel, sender: Side, data: bytes, length: int | None = None) -> WireMessage:
        """Decode the message that starts `data`.

        `length` is the number of bytes on the wire, if only the first of them were kept.
        """
        direction = self._directions[channel][sender]
        header = data[:HEADER_SIZE]
        form = direction.forms.get(header)
        if form is None and len(header) == HEADER_SIZE:
            form = direction.new_form(header, *self._unpack_header(header))
        if form is None or len(data) != form.length:
            return self._decode_any(direction, data, len(data) if length is None else length)
        # Half the cost of calling the class, which matters for every message.
        return _new(
            WireMessage,
            (
                form.row, form.reply, form.id, form.flags, form.size, form.layout,
                form.unpack(data, HEADER_SIZE), "", data, False, form,
            ),
        )  # fmt: skip

    def _decode_any(self, direction: _Direction, data: bytes, length: int) -> WireMessage:
        if len(data) == NAMED_SIZE and length >= HEADER_SIZE:
            return self._named(direction, data)
        if len(data) < HEADER_SIZE:
            problem = f"header cut short: {length} of {HEADER_SIZE} bytes"
            return WireMessage(direction.unknown, direction.reply, 0, 0, 0, NO_LAYOUT, (), problem, data)
        number, flags, size = self._unpack_header(data)
        error = bool(number & self.protocol.header.error)
        number &= ~self.protocol.header.error
        shapes = (direction.failures if error else direction.shapes).get(number)
        if shapes is None:
            row, layout, values, problem = direction.unknown, NO_LAYOUT, (), "unknown message"
        else:
            row, (layout, values, problem) = shapes.row, self._payload(shapes, size, data)
        if length < HEADER_SIZE + size:
            problem = f"cut short: {length - HEADER_SIZE} of {size} payload bytes"
        elif error and not direction.reply:
            problem = "a request with the error bit"
        return WireMessage(
            row,
            direction.reply,
            number,
            flags,
            size,
            layout,
            values,
            problem or self._flags_problem(direction, flags),
            data,
            error,
        )

    def _named(self, direction: _Direction, data: bytes) -> WireMessage:
        """Only number and flags of the message were recorded: the rest is unknown, not wrong."""
        number, flags, _ = self._unpack_header(data.ljust(HEADER_SIZE, b"\0"))
        error = bool(number & self.protocol.header.error)
        number &= ~self.protocol.header.error
        shapes = (direction.failures if error else direction.shapes).get(number)
        row = shapes.row if shapes is not None else direction.unknown
        problem = "" if shapes is not None else "unknown message"
        if error and not direction.reply:
            problem = "a request with the error bit"
        return WireMessage(row, direction.reply, number, flags, 0, NO_LAYOUT, (), problem, data, error)

    @staticmethod
    def _payload(shapes: _Shapes, size: int, data: bytes) -> tuple[Layout, Values, str]:
        payload = data[HEADER_SIZE : HEADER_SIZE + size]
        for codec in shapes.layouts:
            values = codec.decode(payload, size)
            if values is not None:
                return codec.layout, values, ""
        if not shapes.layouts:
            return NO_LAYOUT, (), "takes no reply"
        expected = " or ".join(dict.fromkeys(codec.layout.size_text for codec in shapes.layouts))
        return NO_LAYOUT, (), f"payload is {size} bytes, expected {expected}"

    @staticmethod
    def _flags_problem(direction: _Direction, flags: int) -> str:
        wrong = flags & direction.flags_mask ^ direction.flags_wanted
        if wrong & REPLY:
            return "a reply without the REPLY flag" if direction.reply else "a request with the REPLY flag"
        if wrong and flags & VERSION_MASK not in direction.versions:
            return f"version {flags & VERSION_MASK}, expected {' or '.join(map(str, direction.versions))}"
        return ""

    def encode(
        self,
        row: Row,
        layout: Layout,
        values: Values,
        *,
        reply: bool = False,
        need_reply: bool = False,
        error: bool = False,
    ) -> bytes:
        """A whole message, in the first header version that has it.

        `values` as in `WireMessage`; a `FieldError` names the first one that does not fit the layout. `error` sets the
        dialect's error bit.
        """
        payload = layout_codec(layout, self.byte_order).encode(values, row.name)
        flags = 0 if row.channel is Channel.GPU else row.version
        flags |= (REPLY if reply else 0) | (NEED_REPLY if need_reply else 0)
        return self._header.pack(self._number(row.id, error), flags, len(payload)) + payload

    def reencode(self, message: WireMessage) -> bytes:
        """The bytes of a well-formed message, made from its values: equal to `message.data`."""
        if not message.fits:
            raise ValueError(f"message {message.id} has no known layout: {message.problem}")
        payload = layout_codec(message.layout, self.byte_order).encode(message.values)
        return self._header.pack(self._number(message.id, message.error), message.flags, message.size) + payload

    def _number(self, number: int, error: bool) -> int:
        return number | self.protocol.header.error if error else number


@cache
def layout_codec(layout: Layout, byte_order: ByteOrder) -> LayoutCodec:
    """The compiled form of a layout."""
    return LayoutCodec(layout, byte_order)


@cache
def codec_of(protocol: Protocol, byte_order: ByteOrder) -> Codec:
    """The codec of a protocol in a byte order: cached, because compiling takes longer than a short session."""
    return Codec(protocol, byte_order)
