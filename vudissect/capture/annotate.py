"""A copy of a capture with comments at its packets, which Wireshark shows; all else stays as it is."""

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct
from typing import Final

from vudissect.capture import blocks
from vudissect.capture.files import ByteSource
from vudissect.capture.reader import NUMBERED, Blocks
from vudissect.capture.section import Block

# The fixed part of a block's body, after which its options begin.
_SECTION_FIXED: Final = 16
_PACKET_FIXED: Final = 20
_CAPTURED_AT: Final = 12
# "unknown": the copy is longer than the original.
_SECTION_LENGTH: Final = slice(8, 16)
_UNKNOWN_LENGTH: Final = b"\xff" * 8
_LONGEST_COMMENT: Final = 0xFFFC


def annotated(stream: ByteSource, comments: Mapping[int, Sequence[str]]) -> Iterator[bytes]:
    """The blocks of a capture with further comments, by frame; those of frame 0 are about the capture as a whole.

    `CaptureError` where the input cannot be read any further; `TruncatedCapture` if it ends within a block.
    """
    source = Blocks(stream)
    frame = 0
    begun = False
    while (block := source.block()) is not None:
        order = source.section.order
        frame += block.type in NUMBERED
        body = block.body
        if block.type == blocks.SECTION_HEADER:
            body = body[: _SECTION_LENGTH.start] + _UNKNOWN_LENGTH + body[_SECTION_LENGTH.stop :]
            if not begun and 0 in comments:
                body = _with_comments(order, body, _SECTION_FIXED, comments[0])
        elif block.type == blocks.ENHANCED_PACKET and frame in comments:
            body = _with_comments(order, body, _options_of_packet(order, block), comments[frame])
        begun = True
        total = len(body) + blocks.BLOCK_OVERHEAD
        yield Struct(f"{order}II").pack(block.type, total) + body + Struct(f"{order}I").pack(total)


def _options_of_packet(order: str, block: Block) -> int:
    """Where the options of a packet begin, after the padding of its data."""
    (captured,) = Struct(f"{order}I").unpack_from(block.body, _CAPTURED_AT)
    return _PACKET_FIXED + (int(captured) + 3 & -4)


def _with_comments(order: str, body: bytes, start: int, comments: Sequence[str]) -> bytes:
    """The body of a block with further comments before those that it has; a comment that it has is not repeated."""
    head = Struct(f"{order}HH")
    added = b""
    for comment in comments:
        # A character may be cut in two.
        text = comment.encode()[:_LONGEST_COMMENT].decode(errors="ignore").encode()
        option = head.pack(blocks.COMMENT, len(text)) + text + blocks.PADDING[len(text) & 3]
        if option not in body[start:]:
            added += option
    rest = body[start:] or head.pack(blocks.END_OF_OPTIONS, 0)
    return body[:start] + added + rest
