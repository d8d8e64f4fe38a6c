"""The bytes of one direction of a channel, cut into messages; descriptors go with the message that they belong to.

No sockets: reads go in, pieces come out. A message of up to `WHOLE` bytes comes out in one piece when all of it is
there; a longer one comes out bit by bit as it arrives, so that memory stays bounded whatever a header claims.

Whose the descriptors are: the kernel never lets a read go on behind the write that carried them, so they belong to
the message in which the read ended. Where that message cannot have any by the table and another one of the same
read can, its sender has glued messages together in one write, and the table decides.
"""

import sys
from typing import NamedTuple

from vudissect.capture.record import Mark
from vudissect.spec.model import Channel, Side
from vudissect.spec.table import UPSTREAM
from vudissect.wire.header import HEADER_SIZE, REPLY, ByteOrder, detect_byte_order, struct_of

WHOLE = 1 << 16

# The ancillary data that recvmsg gives and sendmsg takes; opaque here, but that two lists of them can be added.
Rights = list[tuple[int, int, bytes]]

# Plain integers: arithmetic on the enumeration would cost more than all the rest of the framing.
_SPLIT = int(Mark.SPLIT)
_GLUED = int(Mark.GLUED)
_LATE_DESCRIPTORS = int(Mark.LATE_DESCRIPTORS)
_CUT_SHORT = int(Mark.CUT_SHORT)
_BIG_ENDIAN = int(Mark.BIG_ENDIAN)

_PAYLOAD_SIZE_OFFSET = 8


class Piece(NamedTuple):
    """Bytes to be sent in one go, with their descriptors: a whole message (`start` and `end`) or part of one."""

    data: bytes
    rights: Rights
    marks: int
    start: bool = True
    end: bool = True


class Framer:
    """What `sender` says on one channel. `byte_order` is None until the first header has decided it."""

    def __init__(self, channel: Channel, sender: Side, byte_order: ByteOrder | None = None) -> None:
        self._channel = channel
        self._sender = sender
        self._set_byte_order(byte_order or sys.byteorder)
        self.byte_order = byte_order
        # Of the message that has begun and is not complete:
        self._held = bytearray()  # its bytes, when it will be sent whole
        self._needed = 0  # how many of them it takes to go on
        self._rest = 0  # bytes to come, when it is sent bit by bit
        self._rights: Rights = []
        self._marks = 0

    @property
    def aligned(self) -> bool:
        """Whether the next byte is the first of a message."""
        return not (self._held or self._rest)

    def is_whole(self, data: bytes) -> bool:
        """Whether a read is exactly one message, so that it needs no cutting. (The path of nearly all messages.)"""
        return (
            len(data) >= HEADER_SIZE
            and self._payload_size(data, _PAYLOAD_SIZE_OFFSET)[0] == len(data) - HEADER_SIZE
            and not (self._held or self._rest or self._order_mark)
            and self.byte_order is not None
        )

    def number(self, message: bytes) -> int:
        """The message number in a header that has been framed."""
        return int(self._header.unpack_from(message)[0])

    def feed(self, data: bytes, rights: Rights | None = None, marks: int = 0) -> list[Piece]:
        """Cut one read into pieces. `marks` goes where the descriptors go, or would have gone."""
        pieces: list[Piece] = []
        began_before = not self.aligned
        if self._rest:
            chunk = data[: self._rest]
            self._rest -= len(chunk)
            pieces.append(Piece(chunk, [], 0, start=False, end=not self._rest))
            data = data[len(chunk) :]
            self._marks = _GLUED if data else 0
        elif self._held:
            self._held += data
            self._marks |= _SPLIT
            data = b""
            if len(self._held) >= self._needed:
                data = bytes(self._held)
                self._held.clear()
        if data:
            self._cut(data, pieces)
        if rights or marks:
            self._attach(pieces, began_before, rights or [], marks)
        return pieces

    def finish(self) -> Piece | None:
        """What is left at the end of the stream: the beginning of a message that will never be complete."""
        if self.aligned:
            return None
        start, self._rest = not self._rest, 0
        rest = Piece(bytes(self._held), self._rights, self._marks | self._order_mark | _CUT_SHORT, start)
        self._held.clear()
        return rest

    def _cut(self, data: bytes, pieces: list[Piece]) -> None:
        marks, rights, self._marks, self._rights = self._marks, self._rights, 0, []
        offset, left = 0, len(data)
        needed = HEADER_SIZE
        while left >= HEADER_SIZE:
            if not self.byte_order:
                self._set_byte_order(detect_byte_order(data) or sys.byteorder)
            total = HEADER_SIZE + self._payload_size(data, offset + _PAYLOAD_SIZE_OFFSET)[0]
            if total > left:
                if total <= WHOLE:
                    needed = total
                    break
                self._rest = total - left
                marks |= _SPLIT
            taken = min(total, left)
            pieces.append(Piece(data[offset : offset + taken], rights, marks | self._order_mark, end=taken == total))
            offset += taken
            left -= taken
            marks, rights = _GLUED, []
        if left:
            self._held += data[offset:]
            self._needed, self._marks, self._rights = needed, marks, rights

    def _attach(self, pieces: list[Piece], began_before: bool, rights: Rights, marks: int) -> None:
        """Give the descriptors of a read to the message of it that they belong to."""
        index = len(pieces) if self._held else len(pieces) - 1
        first_new = 1 if began_before else 0
        if index > first_new and self._may_carry(self._held if self._held else pieces[-1].data) is False:
            carriers = (i for i in range(index - 1, first_new - 1, -1) if self._may_carry(pieces[i].data))
            index = next(carriers, index)
        if rights and index < first_new:
            marks |= _LATE_DESCRIPTORS
        if index == len(pieces):
            self._rights = self._rights + rights
            self._marks |= marks
        else:
            piece = pieces[index]
            pieces[index] = piece._replace(rights=piece.rights + rights, marks=piece.marks | marks)

    def _may_carry(self, message: bytes | bytearray) -> bool | None:
        """Whether a message can have descriptors by the table; None where the table does not know it."""
        if len(message) < HEADER_SIZE:
            return None
        number, flags, _ = self._header.unpack_from(message)
        row = UPSTREAM.request(self._channel, number)
        if row is None:
            return None
        return bool((row.reply_fds if flags & REPLY else row.fds).most)

    def _set_byte_order(self, byte_order: ByteOrder) -> None:
        self.byte_order = byte_order
        self._header = struct_of("III", byte_order)
        self._payload_size = struct_of("I", byte_order).unpack_from
        self._order_mark = _BIG_ENDIAN if byte_order == "big" else 0
