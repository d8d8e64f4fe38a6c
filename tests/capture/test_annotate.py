"""Comments in a copy of a capture: where they are, and that all else stays as it was."""

from io import BytesIO
from pathlib import Path
from struct import pack

import pytest

from vudissect.capture import blocks
from vudissect.capture.annotate import annotated
from vudissect.capture.errors import CaptureError, TruncatedCapture
from vudissect.capture.reader import Blocks, read_capture

CAPTURES = Path(__file__).parents[2] / "captures"
CAPTURE = (CAPTURES / "qemu-7.2-blk-qsd.pcapng").read_bytes()


def copy(capture: bytes, comments: dict[int, list[str]]) -> bytes:
    return b"".join(annotated(BytesIO(capture), comments))


def comments_of(capture: bytes) -> dict[int, list[str]]:
    """The comments at each packet, and those of the first section at 0."""
    source = Blocks(BytesIO(capture))
    found: dict[int, list[str]] = {}
    frame = 0
    while (block := source.block()) is not None:
        if block.type == blocks.ENHANCED_PACKET:
            frame += 1
            start = 20 + (int.from_bytes(block.body[12:16], "little") + 3 & -4)
        elif block.type == blocks.SECTION_HEADER:
            start = 16
        else:
            continue
        options = source.section._options(block.body, start)
        found[frame] = [value.decode() for code, value in options if code == blocks.COMMENT]
    return found


def test_a_copy_without_comments_is_the_same() -> None:
    assert copy(CAPTURE, {}) == CAPTURE


def test_comments_are_at_their_packets_and_the_records_are_the_same() -> None:
    before = comments_of(CAPTURE)
    capture = copy(CAPTURE, {0: ["whole"], 2: ["one", "two ✓"], 17: ["an option" * 9]})
    after = comments_of(capture)

    assert after == before | {0: ["whole", *before[0]], 2: ["one", "two ✓"], 17: ["an option" * 9, *before[17]]}
    assert list(read_capture(BytesIO(capture))) == list(read_capture(BytesIO(CAPTURE)))


def test_a_comment_is_not_repeated() -> None:
    once = copy(CAPTURE, {2: ["one"]})

    assert copy(once, {2: ["one"]}) == once


def test_a_comment_has_an_end() -> None:
    (comment,) = comments_of(copy(CAPTURE, {2: ["✓" * 70_000]}))[2]

    assert comment == "✓" * (0xFFFC // 3)


def test_the_length_of_a_section_is_not_that_of_the_original() -> None:
    header = CAPTURE[:16] + pack("<q", len(CAPTURE)) + CAPTURE[24:]

    assert copy(header, {2: ["one"]})[16:24] == b"\xff" * 8


def test_big_endian_captures_stay_so() -> None:
    header = pack(">IHHqHH", blocks.BYTE_ORDER_MAGIC, 1, 0, -1, 0, 0)
    interface = pack(">HHIHH", blocks.LINK_TYPE_EXPORTED_PDU, 0, 0, 0, 0)
    packet = pack(">IIIII", 0, 0, 0, 3, 3) + b"abc\0"

    def block(kind: int, body: bytes) -> bytes:
        return pack(">II", kind, len(body) + 12) + body + pack(">I", len(body) + 12)

    start = block(blocks.SECTION_HEADER, header) + block(blocks.INTERFACE_DESCRIPTION, interface)
    capture = start + block(blocks.ENHANCED_PACKET, packet)
    commented = packet + pack(">HH", blocks.COMMENT, 3) + b"one\0" + pack(">HH", 0, 0)

    assert copy(capture, {1: ["one"]}) == start + block(blocks.ENHANCED_PACKET, commented)


def test_it_copies_up_to_a_cut() -> None:
    written: list[bytes] = []
    with pytest.raises(TruncatedCapture):
        written.extend(annotated(BytesIO(CAPTURE[:-5]), {2: ["one"]}))

    assert len(list(read_capture(BytesIO(b"".join(written))))) == len(list(read_capture(BytesIO(CAPTURE)))) - 1


def test_something_else_is_refused() -> None:
    with pytest.raises(CaptureError):
        list(annotated(BytesIO(b"something else"), {}))
