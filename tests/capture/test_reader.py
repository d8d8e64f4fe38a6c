"""Captures written by other tools, cut short, or damaged."""

import tracemalloc
from io import BytesIO
from struct import Struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capture.examples import conversation, encoder, interface, read, read_until_error
from vudissect.capture import blocks
from vudissect.capture.packet import TAGS_SIZE
from vudissect.capture.reader import CaptureError, TruncatedCapture, read_capture
from vudissect.capture.record import Mark, RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side

MESSAGE = encoder().message(1, Channel.MAIN, Side.FRONT_END, 1, 2_000, 2_500, bytes(12), 12)
PACKET = MESSAGE[28:-4]
PREAMBLE = encoder().preamble()
SECTION = blocks.block(blocks.SECTION_HEADER, Struct("<IHHq").pack(blocks.BYTE_ORDER_MAGIC, 1, 0, -1))


def packet(data: bytes, interface_number: int = 0, stamp: int = 0) -> bytes:
    """An enhanced packet block."""
    front = Struct("<IIIII").pack(interface_number, stamp >> 32, stamp & 0xFFFF_FFFF, len(data), len(data))
    return blocks.block(blocks.ENHANCED_PACKET, front + data + blocks.PADDING[len(data) & 3])


def changed(offset: int, value: bytes) -> bytes:
    """The packet of a plain message with bytes of its record header replaced."""
    at = TAGS_SIZE + offset
    return PACKET[:at] + value + PACKET[at + len(value) :]


@pytest.mark.parametrize(
    ("options", "stamp", "nanoseconds"),
    [
        ([], 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        ([(blocks.INTERFACE_RESOLUTION, b"\x06")], 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        ([(blocks.INTERFACE_RESOLUTION, b"\x00")], 1_700_000_000, 1_700_000_000_000_000_000),
        ([(blocks.INTERFACE_RESOLUTION, b"\x0c")], 1_700_000_000_123, 1_700_000_000),
        ([(blocks.INTERFACE_RESOLUTION, b"\x8a")], 1024 * 3 + 512, 3_500_000_000),
        ([(blocks.INTERFACE_RESOLUTION, b"\x09"), (blocks.INTERFACE_OFFSET, Struct("<q").pack(5))], 7, 5_000_000_007),
        ([(blocks.INTERFACE_RESOLUTION, b"\x09"), (blocks.INTERFACE_OFFSET, Struct("<q").pack(-5))], 7, 0),
        ([(blocks.INTERFACE_RESOLUTION, b"\x00")], (1 << 64) - 1, (1 << 64) - 1),
    ],
)
def test_time_stamps_of_any_resolution(options: list[tuple[int, bytes]], stamp: int, nanoseconds: int) -> None:
    (record,) = read(SECTION + interface(252, *options) + packet(PACKET, stamp=stamp))

    assert record.time == nanoseconds


def test_packets_of_other_programs_are_skipped_but_numbered() -> None:
    other_tag = PACKET.replace(b"vhost_user", b"vhost_else")
    capture = PREAMBLE + interface(1) + packet(PACKET, 3) + MESSAGE + packet(other_tag) + packet(b"\0\0") + MESSAGE

    assert [record.frame for record in read(capture)] == [2, 5]


def test_blocks_of_other_types_are_skipped() -> None:
    statistics, unknown = blocks.block(5, bytes(12)), blocks.block(0x8000_0001, bytes(8))

    assert [record.frame for record in read(PREAMBLE + statistics + MESSAGE + unknown + MESSAGE)] == [1, 2]


def test_a_second_section_starts_with_no_interfaces() -> None:
    capture = PREAMBLE + MESSAGE + SECTION + MESSAGE

    got, error = read_until_error(BytesIO(capture))

    assert [record.frame for record in got] == [1]
    assert "interface 0, which is not described" in str(error)


def test_captures_may_be_joined_end_to_end() -> None:
    capture = b"".join(conversation())

    assert [record.frame for record in read(capture + capture)] == list(range(1, 13))


@pytest.mark.parametrize("interface_number", [0, 2])
def test_the_channel_comes_from_the_record_not_the_interface(interface_number: int) -> None:
    (record,) = read(PREAMBLE + packet(PACKET, interface_number))

    assert record.channel is Channel.MAIN


# Additions that do not need a new version.


def test_the_known_part_of_a_longer_record_header_is_read() -> None:
    longer = changed(2, b"\x40")
    at = TAGS_SIZE + 48

    (record,) = read(PREAMBLE + packet(longer[:at] + bytes(16) + longer[at:]))

    assert record == read(PREAMBLE + packet(PACKET))[0]


def test_an_unknown_kind_of_record_is_skipped() -> None:
    assert [record.frame for record in read(PREAMBLE + packet(changed(1, b"\x63")) + MESSAGE)] == [2]


def test_unknown_marks_are_kept() -> None:
    (record,) = read(PREAMBLE + packet(changed(6, b"\x00\x81")))

    assert record.marks == Mark(0x8100)


def test_the_known_part_of_an_unknown_descriptor_is_read() -> None:
    later = Struct("<HBBHHQQiI").pack(39, 200, 2, 1, 0, 4096, 0, -1, 2) + b"1:n" + b"more"
    at = TAGS_SIZE + 48
    data = changed(12, b"\x01")

    (record,) = read(PREAMBLE + packet(data[:at] + later + data[at:]))

    (descriptor,) = record.descriptors
    assert (descriptor.kind, descriptor.identity, descriptor.name) == (DescriptorKind.UNKNOWN, "1:", "n")
    assert record.data == bytes(12)


# Captures that cannot be read.


@pytest.mark.parametrize(
    ("capture", "message"),
    [
        (b"", "the input is empty"),
        (b"\x7fELF" + bytes(60), "not a pcapng capture"),
        (b"hello", "not a pcapng capture"),
        (Struct("<IHHIIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, 252), "classic pcap.*editcap -F pcapng"),
        (Struct(">IHHIIII").pack(0xA1B23C4D, 2, 4, 0, 0, 65535, 252), "classic pcap.*editcap -F pcapng"),
        (SECTION[:8] + bytes(4) + SECTION[12:], "byte 0: .*byte order"),
        (SECTION + MESSAGE, "byte 28: .*interface 0"),
        (PREAMBLE + packet(changed(0, b"\x02")), "frame 1 .*version 2.*update"),
        (PREAMBLE + packet(changed(0, b"\x00")), "frame 1 .*record header is invalid"),
        (PREAMBLE + packet(changed(2, b"\x2f")), "frame 1 .*record header is invalid"),
        (PREAMBLE + packet(changed(4, b"\x03")), "frame 1 .*channel 3"),
        (PREAMBLE + packet(changed(5, b"\x03")), "frame 1 .*sender 3"),
        (PREAMBLE + packet(changed(5, b"\x02")), "frame 1 .*has the recorder as sender"),
        (PREAMBLE + packet(changed(40, b"\x0b")), "frame 1 .*it has 12 bytes of a message of 11 bytes"),
        (PREAMBLE + packet(changed(40, b"\x0c\0\0\0\x01")), "frame 1 .*a message of 4294967308 bytes"),
        (PREAMBLE + packet(changed(47, b"\x80")), "frame 1 .*a message of 9223372036854775820 bytes"),
        (PREAMBLE + interface(1) * 65536, r"byte \d+: there are more than 65536 interfaces"),
        (PREAMBLE + packet(changed(12, b"\x01")), "frame 1 .*descriptors are cut short"),
        (PREAMBLE + packet(PACKET[: TAGS_SIZE + 47]), "frame 1 .*header is cut short"),
        (PREAMBLE + packet(changed(2, b"\xff")), "frame 1 .*header is cut short"),
        (PREAMBLE + packet(changed(1, b"\x07")), "frame 1 .*details of its event are not JSON"),
        (PREAMBLE + packet(changed(1, b"\x07")[:-12] + b"[1]"), "frame 1 .*not an object of strings and numbers"),
        (PREAMBLE + packet(changed(1, b"\x07")[:-12] + b'{"a":[]}'), "frame 1 .*not an object of strings and numbers"),
        (PREAMBLE + MESSAGE[:-4] + b"\x90\0\0\0", r"byte \d+: the two lengths of a block differ"),
        (PREAMBLE + b"\x06\0\0\0\x0b\0\0\0" + bytes(20), r"byte \d+: a block has an invalid length of 11 bytes"),
        (PREAMBLE + blocks.block(6, bytes(16)), r"byte \d+: a packet block is too short"),
        (PREAMBLE + blocks.block(1, bytes(4)), r"byte \d+: an interface description is too short"),
        (
            PREAMBLE + blocks.block(6, Struct("<IIIII").pack(0, 0, 0, 5, 5) + bytes(4)),
            r"a packet of 5 bytes does not fit",
        ),
    ],
)
def test_an_error_is_one_line(capture: bytes, message: str) -> None:
    with pytest.raises(CaptureError, match=message) as caught:
        read(capture)

    assert "\n" not in str(caught.value)


def test_padding_does_not_complete_a_header() -> None:
    # These 81 bytes are padded to 84, the size of tags and header.
    with pytest.raises(CaptureError, match="header is cut short"):
        read(PREAMBLE + packet(PACKET[:81]))


def test_deeply_nested_details_are_damage() -> None:
    with pytest.raises(CaptureError, match="not JSON"):
        read(PREAMBLE + packet(changed(1, b"\x07")[:-12] + b"[" * 100_000))


class Endless:
    """A capture that starts with these bytes and never ends."""

    def __init__(self, start: bytes) -> None:
        self.start = BytesIO(start)
        self.given = 0

    def read(self, size: int, /) -> bytes:
        data = self.start.read(size) or bytes(size)
        self.given += len(data)
        return data


@pytest.mark.parametrize("total", [0xFFFF_FFFC, blocks.MAX_BLOCK + 4])
def test_nothing_is_read_for_a_block_of_absurd_length(total: int) -> None:
    stream = Endless(PREAMBLE + MESSAGE + Struct("<II").pack(6, total))

    records = read_capture(stream)

    assert next(records).frame == 1
    with pytest.raises(CaptureError, match=f"a block has an invalid length of {total} bytes"):
        next(records)
    assert stream.given < 1 << 20


def test_reading_a_long_capture_keeps_only_a_chunk_in_memory() -> None:
    chunk = MESSAGE * (64 << 10 >> 7)

    class Chunks:
        held = 0

        def __init__(self) -> None:
            self.left = 50

        def read(self, size: int, /) -> bytes:
            self.left -= 1
            if self.left == 49:
                return PREAMBLE
            return chunk if self.left >= 0 else b""

    tracemalloc.start()
    try:
        count = sum(1 for _ in read_capture(Chunks()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 49 * 512
    assert peak < 1 << 20


# Captures that are cut short.


def test_a_capture_cut_at_any_byte_has_all_records_before_the_cut() -> None:
    written = conversation()
    capture = b"".join(written)
    whole = read(capture)
    ends = [sum(map(len, written[: count + 1])) for count in range(len(written))]
    preamble_ends = {0, *_block_ends(written[0])}
    for cut in range(1, len(capture)):
        got, error = read_until_error(BytesIO(capture[:cut]))

        assert got == whole[: sum(end <= cut for end in ends[1:])], cut
        if cut in preamble_ends or cut in ends:
            assert error is None, cut
        else:
            assert isinstance(error, TruncatedCapture), cut


def _block_ends(preamble: bytes) -> list[int]:
    ends, offset = [], 0
    while offset < len(preamble):
        offset += Struct("<4xI").unpack_from(preamble, offset)[0]
        ends.append(offset)
    return ends


@given(st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes_give_records_or_a_capture_error(flips: list[tuple[int, int]]) -> None:
    capture = bytearray(b"".join(conversation()))
    for offset, value in flips:
        capture[offset % len(capture)] ^= value

    got, error = read_until_error(BytesIO(bytes(capture)))

    assert len(got) <= 6
    assert error is None or isinstance(error, CaptureError)


@given(st.binary(max_size=300))
def test_noise_after_a_section_header_gives_a_capture_error_or_nothing(noise: bytes) -> None:
    got, error = read_until_error(BytesIO(SECTION + interface(252) + noise))

    assert got == []
    assert error is None or isinstance(error, CaptureError)


@given(st.binary(max_size=200))
def test_noise_in_a_packet_gives_a_capture_error_or_records(noise: bytes) -> None:
    got, error = read_until_error(BytesIO(PREAMBLE + packet(PACKET[:TAGS_SIZE] + noise) + packet(noise)))

    assert len(got) <= 2
    assert error is None or isinstance(error, CaptureError)


def test_the_conversation_that_is_damaged_has_messages_and_events() -> None:
    kinds = {record.kind for record in read(b"".join(conversation()))}

    assert kinds == {RecordKind.CONNECTION_OPENED, RecordKind.MESSAGE, RecordKind.NOTE}
