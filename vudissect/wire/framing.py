"""The bytes of one direction of a channel, cut into messages; descriptors go with the message that they belong to.

No sockets: reads go in, messages come out. A message of up to `WHOLE` bytes comes out whole, when all of it is there;
a longer one comes out bit by bit as it arrives, so that memory stays bounded whatever a header claims.

Whose the descriptors are: the kernel never lets a read go on behind the write that carried them, so they belong to
the message in which the read ended. Where that message cannot have any by the table and another one of the same
read can, its sender has glued messages together in one write, and the table decides.
"""

import sys
from enum import IntFlag
from typing import NamedTuple

from vudissect.spec.model import Channel, Side
from vudissect.spec.table import UPSTREAM
from vudissect.wire.header import HEADER_SIZE, REPLY, ByteOrder, detect_byte_order, struct_of

WHOLE = 1 << 16

# The ancillary data that recvmsg gives and sendmsg takes; opaque here, but that two lists of them can be added.
Rights = list[tuple[int, int, bytes]]


class Trait(IntFlag):
    """How a message has arrived."""

    SPLIT = 1  # in more than one read
    GLUED = 2  # in one read with the message before it
    LATE_DESCRIPTORS = 4  # its descriptors not with its first byte
    DESCRIPTORS_LOST = 8  # not all of its descriptors
    CUT_SHORT = 16  # not to its end
    BIG_ENDIAN = 32


# Plain numbers, as arithmetic on the enumeration is slow.
_SPLIT = int(Trait.SPLIT)
_GLUED = int(Trait.GLUED)
_BIG_ENDIAN = int(Trait.BIG_ENDIAN)

_PAYLOAD_SIZE_OFFSET = 8


class Piece(NamedTuple):
    """A message, or a part of a long one, about which there is something to say; to be sent in one go.

    `start` and `end`: whether it begins, and whether it ends a message. `traits` are `Trait` bits.
    """

    data: bytes
    rights: Rights
    traits: int = 0
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
        self._rights: Rights = []
        self._traits = 0
        self._rest = 0  # bytes still to come, when it is sent bit by bit

    @property
    def aligned(self) -> bool:
        """Whether the next byte is the first of a message."""
        return not (self._held or self._rest)

    def number(self, message: bytes) -> int:
        """The message number in a header that has been framed."""
        return int(self._header.unpack_from(message)[0])

    def feed(self, data: bytes, rights: Rights | None = None, rights_lost: bool = False) -> list[bytes | Piece]:
        """Cut one read into messages.

        Plain bytes are a whole message with nothing to be said about it, but that it is glued to the one before it
        in the list. Nearly all messages are of that kind; they must cost next to nothing here.
        """
        messages: list[bytes | Piece] = []
        began_before = not self.aligned
        if self._rest:
            chunk = data[: self._rest]
            self._rest -= len(chunk)
            messages.append(Piece(chunk, [], start=False, end=not self._rest))
            data = data[len(chunk) :]
        elif self._held:
            self._held += data
            self._traits |= _SPLIT
            data = b""
            if len(self._held) >= self._needed:
                data = bytes(self._held)
                self._held.clear()
        if data:
            self._cut(data, messages)
        if rights or rights_lost:
            self._attach(messages, began_before, rights or [], Trait.DESCRIPTORS_LOST if rights_lost else 0)
        return messages

    def finish(self) -> Piece | None:
        """What is left at the end of the stream: a message that will never be complete."""
        if self.aligned:
            return None
        traits = self._traits | self._order_trait | Trait.CUT_SHORT
        piece = Piece(bytes(self._held), self._rights, traits, start=not self._rest)
        self._held.clear()
        self._rest = 0
        return piece

    def _cut(self, data: bytes, messages: list[bytes | Piece]) -> None:
        """Append what is complete, and hold what is not."""
        end = len(data)
        if not self.byte_order and end >= HEADER_SIZE:
            self._set_byte_order(detect_byte_order(data) or sys.byteorder)
        first = len(messages)
        offset, needed = 0, HEADER_SIZE
        payload_size = self._payload_size
        while end - offset >= HEADER_SIZE:
            after = offset + HEADER_SIZE + payload_size(data, offset + _PAYLOAD_SIZE_OFFSET)[0]
            if after > end:
                needed = after - offset
                break
            messages.append(data[offset:after])
            offset = after
        if needed > WHOLE:
            self._rest = needed - (end - offset)
            messages.append(Piece(data[offset:], [], _SPLIT | (_GLUED if messages else 0), end=False))
            offset = end
        rights, traits = self._rights, self._traits
        if len(messages) > first:
            self._rights, self._traits = [], 0
            if rights or traits:
                _say(messages, first, rights, traits)
        if offset < end:
            self._held += data[offset:]
            self._needed = needed
            if messages:
                self._traits |= _GLUED
        if self._order_trait:
            for index in range(first, len(messages)):
                _say(messages, index, [], self._order_trait)

    def _attach(self, messages: list[bytes | Piece], began_before: bool, rights: Rights, traits: int) -> None:
        """Give the descriptors of a read to the message of it that they belong to."""
        index = last = len(messages) - (0 if self._held else 1)
        first_new = 1 if began_before else 0
        if last > first_new and self._may_carry(self._held or _bytes(messages[last])) is False:
            carriers = (i for i in range(last - 1, first_new - 1, -1) if self._may_carry(_bytes(messages[i])))
            index = next(carriers, last)
        if rights and index < first_new:
            traits |= Trait.LATE_DESCRIPTORS
        if index == len(messages):
            self._rights = self._rights + rights
            self._traits |= traits
        else:
            _say(messages, index, rights, traits)

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
        self._order_trait = _BIG_ENDIAN if byte_order == "big" else 0


def _bytes(message: bytes | Piece) -> bytes:
    return message.data if isinstance(message, Piece) else message


def _say(messages: list[bytes | Piece], index: int, rights: Rights, traits: int) -> None:
    """Add to what there is to be said about a message."""
    message = messages[index]
    piece = message if isinstance(message, Piece) else Piece(message, [], _GLUED if index else 0)
    messages[index] = piece._replace(rights=piece.rights + rights, traits=piece.traits | traits)
