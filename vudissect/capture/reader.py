"""Reads captures: pcapng blocks to records, as a stream and in constant memory.

Reads what vuproxy writes, what Wireshark's editcap, mergecap and tshark make of it, and damaged files.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final

from vudissect.capture import blocks
from vudissect.capture.errors import CaptureError, TruncatedCapture, damaged
from vudissect.capture.files import ByteSource
from vudissect.capture.packet import PLAIN, PLAIN_SHAPES, unpack
from vudissect.capture.record import NO_DETAILS, Mark, Record, RecordKind
from vudissect.capture.section import Block, Section
from vudissect.protocol.model import Channel, Side

__all__ = ["CaptureError", "TruncatedCapture", "read_capture"]

_CHUNK: Final = 256 << 10
# Type and length of a block, and the byte order mark of a section header.
_START: Final = 12

NUMBERED: Final = frozenset(
    {
        blocks.OLD_PACKET,
        blocks.SIMPLE_PACKET,
        blocks.ENHANCED_PACKET,
        blocks.JOURNAL,
        blocks.CUSTOM,
        blocks.CUSTOM_DO_NOT_COPY,
    }
)
"""Blocks that Wireshark lists as packets, so that they have a frame number."""

_ORDERS = {Struct(f"{order}I").pack(blocks.BYTE_ORDER_MAGIC): order for order in "<>"}
_CLASSIC_MAGICS = frozenset(Struct(f"{order}I").pack(magic) for order in "<>" for magic in (0xA1B2C3D4, 0xA1B23C4D))

# A plain message's block before the message: type, length, interface, time (high, low), captured, original, `PLAIN`.
_PLAIN_BLOCK = Struct("<IIIIIII" + PLAIN.format.removeprefix("<"))
_PEERS = (Side.FRONT_END, Side.BACK_END)
_PLAIN_ENDS = {PLAIN_SHAPES[channel][sender]: (channel, sender) for channel in Channel for sender in _PEERS}
_LENGTH = Struct("<I")


def read_capture(stream: ByteSource) -> Iterator[Record]:
    """The records of a capture, in order, as they arrive; `frame` counts all packets, as Wireshark does.

    Packets of other programs are skipped. Where the input cannot be read any further, this raises a `CaptureError`: a
    `TruncatedCapture` if the input ends within a block.
    """
    source = Blocks(stream)
    frame = 0
    # The number of interfaces whose packets may be plain messages: none if vuproxy did not write the section.
    interfaces = 0
    marks_of = _Marks()
    # The loop below runs for every message of a file: all that it needs is local.
    message, packet, no_marks, no_details = RecordKind.MESSAGE, blocks.ENHANCED_PACKET, Mark(0), NO_DETAILS
    unpack_plain, plain_size, least = _PLAIN_BLOCK.unpack_from, _PLAIN_BLOCK.size, PLAIN.size
    unpack_length, ends_of, new = _LENGTH.unpack_from, _PLAIN_ENDS.get, tuple.__new__
    while True:
        # Nearly every block is a whole message without descriptors or options, laid out as vuproxy does it: one unpack
        # and one look-up read it. A block that differs in any way leaves the loop and goes the general way below.
        buffer, position, size = source.buffer, source.position, len(source.buffer)
        while position + plain_size <= size:
            (
                block_type, total, interface, high, low, captured, _, shape,
                marks, connection, descriptors, sequence, received, forwarded, length,
            ) = unpack_plain(buffer, position)  # fmt: skip
            ends = ends_of(shape)
            end = position + total
            if (
                ends is None
                or descriptors
                or block_type != packet
                or captured != length + least
                or total != captured + 35 & -4
                or end > size
                or interface >= interfaces
                or unpack_length(buffer, end - 4)[0] != total
            ):
                break
            frame += 1
            channel, sender = ends
            start = position + plain_size
            position = end
            yield new(
                Record,
                (
                    message, connection, channel, sender, sequence, received, forwarded, high << 32 | low, length,
                    buffer[start : start + length], marks_of[marks] if marks else no_marks, (), no_details, frame,
                ),
            )  # fmt: skip
        source.position = position

        block = source.block()
        if block is None:
            return
        if block.type in NUMBERED:
            frame += 1
        if block.type == blocks.INTERFACE_DESCRIPTION:
            source.section.add_interface(block)
        elif block.type == blocks.ENHANCED_PACKET:
            link_type, time, data = source.section.packet(block)
            record = unpack(data, time, frame) if link_type == blocks.LINK_TYPE_EXPORTED_PDU else None
            if record is not None:
                yield record
        interfaces = len(source.section.interfaces) if source.section.is_native else 0


class _Marks(dict[int, Mark]):
    """Marks by number: creating one costs more than the rest of a record."""

    def __missing__(self, number: int) -> Mark:
        marks = self[number] = Mark(number)
        return marks


class Blocks:
    """The input as blocks; `section` is the section of the last one.

    The bytes of `buffer` from `position` on have been read but not used.
    """

    def __init__(self, stream: ByteSource) -> None:
        # `read1` returns what a pipe has; `read` would wait for the whole chunk.
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._base = 0
        self.buffer = b""
        self.position = 0
        self.section = Section("<")

    def block(self) -> Block | None:
        """The next block of any type, or None at the end. A section header replaces `section`."""
        start = self._peek(_START)
        offset = self._base + self.position
        if start[:4] == blocks.SECTION_MAGIC and len(start) == _START:
            order = _ORDERS.get(start[8:])
            if order is None:
                raise damaged(offset, "a section header without a byte order mark")
            self.section = Section(order)
        elif offset == 0:
            raise _no_capture(start)
        elif not start:
            return None
        if len(start) < _START:
            raise _truncated(offset)
        block_type, total = self.section.block_start.unpack_from(start)
        if total < _START or total % 4 or total > blocks.MAX_BLOCK:
            raise damaged(offset, f"a block has an invalid length of {total} bytes")
        whole = self._peek(total)
        if len(whole) < total:
            raise _truncated(offset)
        if whole[4:8] != whole[-4:]:
            raise damaged(offset, "the two lengths of a block differ")
        self.position += total
        return Block(block_type, whole[8:-4], offset)

    def _peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end of the input."""
        have = len(self.buffer) - self.position
        if have < count:
            parts = [self.buffer[self.position :]]
            while have < count and (part := self._read(_CHUNK)):
                parts.append(part)
                have += len(part)
            self._base += self.position
            self.buffer, self.position = b"".join(parts), 0
        return self.buffer[self.position : self.position + count]


def _no_capture(start: bytes) -> CaptureError:
    """Why an input that starts with these bytes is not a capture."""
    if not start:
        return CaptureError("the input is empty, not a capture")
    if blocks.SECTION_MAGIC.startswith(start[:4]):
        return _truncated(0)
    if start[:4] in _CLASSIC_MAGICS:
        return CaptureError("a classic pcap file, but only pcapng can be read: use editcap -F pcapng OLD NEW")
    return CaptureError(
        "not a pcapng capture: give a file that vuproxy or Wireshark wrote, plain, .gz or .zst; for a log, "
        "vudissect import"
    )


def _truncated(offset: int) -> TruncatedCapture:
    return TruncatedCapture(f"byte {offset}: the capture ends within a block, as after a crash; all before was read")
