"""The bytes of one direction of a channel, split into messages, each with the descriptors that came with its bytes.

No sockets: reads go in, messages come out. A message of up to `WHOLE` bytes comes out whole, once all of it has
arrived; a longer one comes out in pieces as it arrives, so memory stays bounded whatever a header claims.

Descriptors belong to the first byte of the read that brought them, and stay there. So the reader must begin
a read where the descriptors are: `needed` is how far a receiver reads, which reads header and payload one after
the other. The message table never affects the place of a descriptor.
"""

import sys
from typing import NamedTuple

from vudissect.protocol.marks import Mark
from vudissect.wire.header import HEADER_SIZE, ByteOrder, detect_byte_order, struct_of

WHOLE = 1 << 16

# A message is not held if it receives descriptors too often: they would pile up.
_MOST_CARRIED = 4

# The ancillary data that recvmsg returns and sendmsg accepts; opaque here.
Rights = list[tuple[int, int, bytes]]


# Plain numbers, because arithmetic on the enumeration is slow.
_SPLIT = int(Mark.SPLIT)
_GLUED = int(Mark.GLUED)
_LATE = int(Mark.LATE_DESCRIPTORS)
_LOST = int(Mark.DESCRIPTORS_LOST)
_CUT_SHORT = int(Mark.CUT_SHORT)
_BIG_ENDIAN = int(Mark.BIG_ENDIAN)

_PAYLOAD_SIZE_OFFSET = 8


class Carried(NamedTuple):
    """Descriptors, and the offset in a message of the byte they came with."""

    offset: int
    rights: Rights


class Piece(NamedTuple):
    """A message, or a part of a long one, that is more than its bytes.

    `carried` is in order of the offsets, which count from the first byte of this piece. `start` and `end`: whether it
    begins and whether it ends a message. `marks` are bits of `Mark`.
    """

    data: bytes
    carried: tuple[Carried, ...] = ()
    marks: int = 0
    start: bool = True
    end: bool = True


class Framer:
    """One direction of a channel. `byte_order` is None until the first header has determined it."""

    def __init__(self, byte_order: ByteOrder | None = None) -> None:
        self._set_byte_order(byte_order or sys.byteorder)
        self.byte_order = byte_order
        # The message that has begun and is not complete:
        self._held = bytearray()  # its bytes, if it will be sent whole
        self._whole = HEADER_SIZE  # how many of them are needed to continue
        self._carried: tuple[Carried, ...] = ()
        self._marks = 0
        self._rest = 0  # bytes still to come, if it is sent in pieces

    @property
    def aligned(self) -> bool:
        """Whether the next byte is the first of a message."""
        return not (self._held or self._rest)

    @property
    def plain(self) -> bool:
        """Whether the next message, if it is whole, will be plain bytes (see `is_one`)."""
        return not (self._held or self._rest or self._order_mark or self.byte_order is None)

    @property
    def needed(self) -> int:
        """How many bytes complete the header or the message that a receiver reads now."""
        return self._rest or (self._whole - len(self._held) if self._held else HEADER_SIZE)

    def is_one(self, data: bytes) -> bool:
        """Whether bytes at the start of a message are exactly one message: most reads are."""
        size = len(data) - HEADER_SIZE
        return size >= 0 and size == self._word(data, _PAYLOAD_SIZE_OFFSET)[0]

    def number(self, message: bytes) -> int:
        """The message number in a framed header."""
        return int(self._word(message)[0])

    def payload_size(self, header: bytes) -> int:
        """The payload size in the header of the next message, in bytes; 0 before the byte order is known."""
        return int(self._word(header, _PAYLOAD_SIZE_OFFSET)[0]) if self.byte_order else 0

    def feed(
        self, data: bytes, rights: Rights | None = None, lost: bool = False, together: bool = False
    ) -> list[bytes | Piece]:
        """Split one read into messages; `rights` came with its first byte.

        `lost`: the kernel has dropped descriptors of this read. `together`: it was available at the same time as the
        previous read, and is only read separately. Plain bytes are a whole message without marks, except that
        it arrived together with the one before it in the list. Nearly all messages are plain; they must cost almost
        nothing here.
        """
        if self._rest:
            chunk, data = data[: self._rest], data[self._rest :]
            self._rest -= len(chunk)
            carried = (Carried(0, rights),) if rights else ()
            marks = (_LATE if rights else 0) | (_LOST if lost else 0)
            messages: list[bytes | Piece] = [Piece(chunk, carried, marks, start=False, end=not self._rest)]
        else:
            if self.plain and self.is_one(data):
                if not (rights or lost or together):
                    return [data]
                marks = (_LOST if lost else 0) | (_GLUED if together else 0)
                return [Piece(data, (Carried(0, rights),) if rights else (), marks)]
            messages = []
            if rights or lost:
                self._carry(rights, lost)
            if self._held:
                self._marks |= 0 if together else _SPLIT
                data = self._held_and(data)
            elif together:
                self._marks |= _GLUED
        if data:
            self._cut(data, messages)
        return messages

    def finish(self) -> Piece | None:
        """What is left at the end of the stream: a message that will never be complete."""
        if self.aligned:
            return None
        marks = self._marks | self._order_mark | _CUT_SHORT
        piece = Piece(bytes(self._held), self._carried, marks, start=not self._rest)
        self._held.clear()
        self._rest = self._marks = 0
        self._carried = ()
        return piece

    def _carry(self, rights: Rights | None, lost: bool) -> None:
        """Keep descriptors for the message that begins or continues with this read."""
        place = len(self._held)
        if rights:
            self._carried = (*self._carried, Carried(place, rights))
            self._marks |= _LATE if place else 0
        if lost:
            self._marks |= _LOST

    def _held_and(self, data: bytes) -> bytes:
        """The held bytes with `data` appended, if that is enough to continue; otherwise hold it too."""
        self._held += data
        if len(self._held) < self._whole and len(self._carried) < _MOST_CARRIED:
            return b""
        together = bytes(self._held)
        self._held.clear()
        return together

    def _cut(self, data: bytes, messages: list[bytes | Piece]) -> None:
        """Append complete messages, and hold the rest."""
        end = len(data)
        if not self.byte_order and end >= HEADER_SIZE:
            self._set_byte_order(detect_byte_order(data) or sys.byteorder)
        first = len(messages)
        offset, whole = 0, HEADER_SIZE
        payload_size = self._word
        while end - offset >= HEADER_SIZE:
            after = offset + HEADER_SIZE + payload_size(data, offset + _PAYLOAD_SIZE_OFFSET)[0]
            if after > end:
                whole = after - offset
                break
            messages.append(data[offset:after])
            offset = after
        if whole > WHOLE or (whole > HEADER_SIZE and not offset and len(self._carried) >= _MOST_CARRIED):
            self._rest = whole - (end - offset)
            messages.append(Piece(data[offset:], (), _SPLIT | (_GLUED if offset else 0), end=False))
            offset = end
        carried, marks = self._carried, self._marks
        if len(messages) > first and (carried or marks):
            self._carried, self._marks = (), 0
            _add(messages, first, carried, marks)
        if offset < end:
            self._held += data[offset:]
            self._whole = whole
            if messages:
                self._marks |= _GLUED
        if self._order_mark:
            for index in range(first, len(messages)):
                _add(messages, index, (), self._order_mark)

    def _set_byte_order(self, byte_order: ByteOrder) -> None:
        self.byte_order = byte_order
        self._word = struct_of("I", byte_order).unpack_from
        self._order_mark = _BIG_ENDIAN if byte_order == "big" else 0


def _add(messages: list[bytes | Piece], index: int, carried: tuple[Carried, ...], marks: int) -> None:
    """Add descriptors and marks to a message."""
    message = messages[index]
    piece = message if isinstance(message, Piece) else Piece(message, (), _GLUED if index else 0)
    messages[index] = piece._replace(carried=piece.carried + carried, marks=piece.marks | marks)
