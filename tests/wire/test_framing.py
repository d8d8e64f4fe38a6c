"""Framing against a model: writes go into a stream that is read as the kernel does, and the same bytes come out.

Each descriptor is still at the byte that it was written with.
"""

import struct
from dataclasses import dataclass
from itertools import chain, pairwise, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vudissect.protocol.marks import Mark
from vudissect.protocol.model import Channel
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.framing import WHOLE, Carried, Framer, Piece, Rights

NUMBERS = {message.name: message.id for message in UPSTREAM.channel(Channel.MAIN)}
KICK, MEM_TABLE, NUM, ADDR = (
    NUMBERS[name] for name in ("SET_VRING_KICK", "SET_MEM_TABLE", "SET_VRING_NUM", "SET_VRING_ADDR")
)
UNKNOWN = 1000
SPLIT_AND_LATE = Mark.SPLIT | Mark.LATE_DESCRIPTORS


def message(number: int, payload: bytes = b"", flags: int = 1, order: str = "=") -> bytes:
    return struct.pack(f"{order}III", number, flags, len(payload)) + payload


def rights(*tokens: int) -> Rights:
    """Substitutes for ancillary data: the framer must not look into it."""
    return [(1, 1, bytes([token])) for token in tokens]


def at(offset: int, token: int) -> tuple[Carried, ...]:
    return (Carried(offset, rights(token)),)


@dataclass
class Write:
    data: bytes
    rights: Rights


class Stream:
    """A Unix stream socket: a read returns what is available, but nothing after a write that carried descriptors."""

    def __init__(self, writes: list[Write]) -> None:
        self._writes = [Write(write.data, write.rights) for write in writes]

    def read(self, size: int) -> tuple[bytes, Rights]:
        data = b""
        while self._writes and len(data) < size:
            write = self._writes[0]
            if write.rights and data:
                # A reader for a framer looks ahead, and begins a read here.
                break
            taken = write.data[: size - len(data)]
            data += taken
            write.data = write.data[len(taken) :]
            carried, write.rights = write.rights, []
            if not write.data:
                self._writes.pop(0)
            if carried:
                return data, carried
        return data, []


# What passes: bytes, and the tokens of descriptors with the offsets of their bytes.
Stretch = tuple[bytes, list[tuple[int, Rights]]]


def written(writes: list[Write]) -> Stretch:
    data, places = b"", []
    for write in writes:
        if write.rights:
            places.append((len(data), write.rights))
        data += write.data
    return data, places


def relayed(pieces: list[bytes | Piece]) -> Stretch:
    data, places = b"", []
    for piece in pieces:
        if isinstance(piece, Piece):
            places += [(len(data) + carried.offset, carried.rights) for carried in piece.carried]
        data += piece if isinstance(piece, bytes) else piece.data
    return data, places


@st.composite
def conversations(draw: st.DrawFn) -> list[Write]:
    """Messages cut anywhere into writes, any of which may carry descriptors."""
    sizes = st.sampled_from([0, 1, 8, 40, 300, WHOLE - 12, WHOLE - 11, WHOLE + 5000])
    numbers = st.sampled_from([KICK, MEM_TABLE, NUM, ADDR, UNKNOWN])
    messages = draw(st.lists(st.tuples(numbers, sizes), min_size=1, max_size=12))
    data = b"".join(message(number, bytes([number & 0xFF]) * size) for number, size in messages)
    cuts = draw(st.lists(st.integers(1, min(len(data) - 1, 4000)) | st.integers(1, len(data) - 1), max_size=30))
    bounds = sorted({0, len(data), *cuts})
    return [
        Write(data[start:end], rights(token % 256) if draw(st.booleans()) else [])
        for token, (start, end) in enumerate(pairwise(bounds))
    ]


@given(conversations(), st.lists(st.sampled_from([1, 5, 12, 13, 20, 64, 500, 4096, 65536]), max_size=200))
def test_what_goes_in_comes_out(writes: list[Write], sizes: list[int]) -> None:
    stream, direction = Stream(writes), Framer()
    pieces: list[bytes | Piece] = []
    for size in chain(sizes, repeat(65536)):
        data, carried = stream.read(size)
        if not data:
            break
        pieces += direction.feed(data, carried)
    assert direction.aligned
    assert relayed(pieces) == written(writes)


@given(conversations())
def test_messages_are_whole_except_long_ones_and_those_with_many_descriptors(writes: list[Write]) -> None:
    stream, direction = Stream(writes), Framer()
    pieces: list[bytes | Piece] = []
    while (read := stream.read(700))[0]:
        pieces += direction.feed(*read)
    for piece in pieces:
        if isinstance(piece, Piece) and piece.start and not piece.end:
            size = struct.unpack_from("=8xI", piece.data)[0]
            assert 12 + size > WHOLE or len(piece.carried) >= 4


@given(conversations())
def test_reading_as_receivers_do_never_reads_into_the_next_message(writes: list[Write]) -> None:
    stream, direction = Stream(writes), Framer()
    while (read := stream.read(direction.needed))[0]:
        assert len(direction.feed(*read)) <= 1


def test_a_single_message_is_plain_bytes() -> None:
    data = message(NUM, bytes(8))
    assert Framer().feed(data) == [data]


def test_descriptors_go_with_the_first_byte_of_their_read() -> None:
    kick, num = message(KICK, bytes(8)), message(NUM, bytes(8))
    assert Framer().feed(num + kick, rights(7)) == [Piece(num, at(0, 7)), kick]


@pytest.mark.parametrize("number", [KICK, NUM, UNKNOWN])
def test_the_message_table_does_not_matter(number: int) -> None:
    data = message(number, bytes(8))
    assert Framer().feed(data, rights(7)) == [Piece(data, at(0, 7))]


def test_messages_that_arrive_together_are_glued_even_if_read_separately() -> None:
    direction = Framer()
    num, kick = message(NUM, bytes(8)), message(KICK, bytes(8))
    assert direction.feed(num) == [num]
    assert direction.feed(kick, rights(7), together=True) == [Piece(kick, at(0, 7), Mark.GLUED)]


def test_header_and_payload_that_are_only_read_separately_are_not_split() -> None:
    direction = Framer()
    kick = message(KICK, bytes(8))
    assert direction.feed(kick[:12], rights(7)) == []
    assert direction.feed(kick[12:], together=True) == [Piece(kick, at(0, 7))]


def test_descriptors_that_come_with_the_payload_are_late_and_stay_there() -> None:
    direction = Framer()
    kick = message(KICK, bytes(8))
    assert direction.feed(kick[:12]) == []
    assert direction.feed(kick[12:], rights(7)) == [Piece(kick, at(12, 7), Mark.SPLIT | Mark.LATE_DESCRIPTORS)]


def test_descriptors_from_several_reads_keep_their_places() -> None:
    direction = Framer()
    kick = message(KICK, bytes(8))
    direction.feed(kick[:12], rights(7))
    (piece,) = direction.feed(kick[12:], rights(8))
    assert isinstance(piece, Piece)
    assert piece.carried == (Carried(0, rights(7)), Carried(12, rights(8)))


def test_descriptors_do_not_pile_up_in_a_message_that_is_held() -> None:
    direction = Framer()
    kick = message(KICK, bytes(8))
    for part in (kick[:12], kick[12:13], kick[13:14]):
        assert direction.feed(part, rights(7)) == []
    (piece,) = direction.feed(kick[14:15], rights(7))
    assert piece == Piece(kick[:15], (*at(0, 7), *at(12, 7), *at(13, 7), *at(14, 7)), SPLIT_AND_LATE, end=False)
    assert direction.feed(kick[15:]) == [Piece(kick[15:], start=False)]


def test_lost_descriptors_are_reported_for_their_message() -> None:
    kick = message(KICK, bytes(8))
    assert Framer().feed(kick, [], True) == [Piece(kick, (), Mark.DESCRIPTORS_LOST)]


def test_a_long_message_is_passed_on_as_it_comes() -> None:
    direction = Framer()
    start = struct.pack("=III", KICK, 1, 0xFFFF_FFFF) + b"first"
    assert direction.feed(start, rights(7)) == [Piece(start, at(0, 7), Mark.SPLIT, end=False)]
    assert direction.feed(b"more") == [Piece(b"more", start=False, end=False)]


def test_descriptors_in_the_middle_of_a_long_message_stay_there() -> None:
    direction = Framer()
    direction.feed(struct.pack("=III", KICK, 1, 0xFFFF_FFFF))
    assert direction.feed(b"more", rights(7)) == [Piece(b"more", at(0, 7), Mark.LATE_DESCRIPTORS, False, False)]


def test_framing_continues_after_a_long_message() -> None:
    direction = Framer()
    long, num = message(NUM, bytes(WHOLE)), message(NUM, bytes(8))
    assert len(direction.feed(long[:-3])) == 1
    assert direction.feed(long[-3:] + num) == [Piece(long[-3:], start=False), num]


def test_memory_is_bounded_whatever_a_header_claims() -> None:
    direction = Framer()
    direction.feed(struct.pack("=III", NUM, 1, WHOLE - 12) + bytes(WHOLE - 100))
    assert not direction.aligned
    (piece,) = direction.feed(bytes(88))
    assert isinstance(piece, Piece)
    assert len(piece.data) == WHOLE


@pytest.mark.parametrize("cut", [1, 11, 12, 19])
def test_the_end_of_the_stream_within_a_message(cut: int) -> None:
    direction = Framer()
    data = message(NUM, bytes(8))
    assert direction.feed(data + data[:cut]) == [data]
    assert direction.finish() == Piece(data[:cut], (), Mark.GLUED | Mark.CUT_SHORT)
    assert direction.aligned


def test_the_end_of_the_stream_within_a_long_message() -> None:
    direction = Framer()
    direction.feed(struct.pack("=III", NUM, 1, 1 << 20))
    assert direction.finish() == Piece(b"", (), Mark.CUT_SHORT, start=False)


def test_the_end_of_the_stream_between_messages() -> None:
    direction = Framer()
    direction.feed(message(NUM, bytes(8)))
    assert direction.finish() is None


@pytest.mark.parametrize(("order", "mark"), [("<", 0), (">", Mark.BIG_ENDIAN)])
def test_the_first_header_decides_the_byte_order(order: str, mark: int) -> None:
    direction = Framer()
    num, kick = message(NUM, bytes(8), order=order), message(KICK, bytes(8), order=order)
    first, second = direction.feed(num + kick)
    assert (first if isinstance(first, bytes) else first.data) == num
    assert second == (Piece(kick, (), Mark.GLUED | mark) if mark else kick)
    assert direction.byte_order == ("big" if order == ">" else "little")


def test_a_given_byte_order_is_kept() -> None:
    direction = Framer("big")
    data = message(1, flags=0, order=">")
    assert direction.feed(data) == [Piece(data, (), Mark.BIG_ENDIAN)]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.sampled_from([None, "little", "big"]))
def test_whatever_comes_goes_out_byte_for_byte(reads: list[bytes], byte_order: str | None) -> None:
    direction = Framer(byte_order)  # type: ignore[arg-type]
    pieces = [piece for read in reads for piece in direction.feed(read)]
    if last := direction.finish():
        pieces.append(last)
    out = b"".join(piece if isinstance(piece, bytes) else piece.data for piece in pieces)
    assert out == b"".join(reads)
