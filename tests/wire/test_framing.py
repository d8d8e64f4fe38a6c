"""Framing against a model: writes go into a stream that reads as the kernel's does, and the same messages come out."""

import struct
from dataclasses import dataclass
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vudissect.spec.model import Channel, Side
from vudissect.spec.table import UPSTREAM
from vudissect.wire.framing import WHOLE, Framer, Piece, Rights, Trait

NUMBERS = {message.name: message.id for message in UPSTREAM.channel(Channel.MAIN)}
KICK, MEM_TABLE, NUM, ADDR = (
    NUMBERS[name] for name in ("SET_VRING_KICK", "SET_MEM_TABLE", "SET_VRING_NUM", "SET_VRING_ADDR")
)
UNKNOWN = 1000


def message(number: int, payload: bytes = b"", flags: int = 1, order: str = "=") -> bytes:
    return struct.pack(f"{order}III", number, flags, len(payload)) + payload


def rights(*tokens: int) -> Rights:
    """Stand-ins for ancillary data: the framer must not look into it."""
    return [(1, 1, bytes([token])) for token in tokens]


@dataclass
class Write:
    data: bytes
    rights: Rights


class Stream:
    """A Unix stream socket: a read takes what there is, but never goes on behind a write that carried descriptors."""

    def __init__(self, writes: list[Write]) -> None:
        self._writes = [Write(write.data, write.rights) for write in writes]

    def read(self, size: int) -> tuple[bytes, Rights]:
        data = b""
        while self._writes and len(data) < size:
            write = self._writes[0]
            taken = write.data[: size - len(data)]
            data += taken
            write.data = write.data[len(taken) :]
            carried, write.rights = write.rights, []
            if not write.data:
                self._writes.pop(0)
            if carried:
                return data, carried
        return data, []


def relayed(pieces: list[bytes | Piece]) -> list[tuple[bytes, Rights]]:
    """Messages with their descriptors as a receiver puts them together, parts of long ones joined."""
    messages: list[tuple[bytes, Rights]] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            messages.append((piece, []))
        elif piece.start:
            messages.append((piece.data, piece.rights))
        else:
            data, carried = messages[-1]
            messages[-1] = (data + piece.data, carried + piece.rights)
    return messages


def framer() -> Framer:
    return Framer(Channel.MAIN, Side.FRONT_END)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[tuple[bytes, Rights]], list[Write]]:
    """Messages with descriptors, and the writes in which a peer may send them."""
    messages: list[tuple[bytes, Rights]] = []
    writes: list[Write] = []
    for token in range(draw(st.integers(1, 12))):
        number = draw(st.sampled_from([KICK, MEM_TABLE, NUM, ADDR, UNKNOWN]))
        size = draw(st.sampled_from([0, 1, 8, 40, 300, WHOLE - 12, WHOLE - 11, WHOLE + 5000]))
        data = message(number, draw(st.binary(min_size=1, max_size=1)) * size)
        carried = rights(token) if number in (KICK, MEM_TABLE, UNKNOWN) and draw(st.booleans()) else []
        messages.append((data, carried))
        # Whole; or header (with the descriptors) and payload apart; or behind the message before it, in its write.
        how = draw(st.sampled_from(["whole", "apart", "behind"]))
        if how == "apart" and size:
            writes += [Write(data[:12], carried), Write(data[12:], [])]
        elif how == "behind" and writes and not carried and not writes[-1].rights:
            writes[-1].data += data
        else:
            writes.append(Write(data, carried))
    return messages, writes


@given(conversations(), st.lists(st.sampled_from([1, 5, 12, 13, 20, 64, 500, 4096, 65536]), max_size=200))
def test_what_goes_in_comes_out(conversation: tuple[list[tuple[bytes, Rights]], list[Write]], sizes: list[int]) -> None:
    messages, writes = conversation
    stream, direction = Stream(writes), framer()
    pieces: list[bytes | Piece] = []
    for size in chain(sizes, repeat(65536)):
        data, carried = stream.read(size)
        if not data:
            break
        pieces += direction.feed(data, carried)
    assert direction.aligned
    assert relayed(pieces) == messages


@given(conversations())
def test_a_message_that_can_be_sent_whole_is_in_one_piece(
    conversation: tuple[list[tuple[bytes, Rights]], list[Write]],
) -> None:
    messages, writes = conversation
    stream, direction = Stream(writes), framer()
    pieces: list[bytes | Piece] = []
    while (read := stream.read(700))[0]:
        pieces += direction.feed(*read)
    whole = [piece if isinstance(piece, bytes) else piece.data for piece in pieces if _is_whole(piece)]
    assert whole == [data for data, _ in messages if len(data) <= WHOLE]


def _is_whole(piece: bytes | Piece) -> bool:
    return isinstance(piece, bytes) or (piece.start and piece.end)


def test_a_lone_message_is_passed_on_as_it_is() -> None:
    data = message(NUM, bytes(8))
    assert framer().feed(data) == [data]


def test_descriptors_go_with_the_last_message_of_a_read() -> None:
    num, addr, kick = message(NUM, bytes(8)), message(ADDR, bytes(40)), message(KICK, bytes(8))
    assert framer().feed(num + addr + kick, rights(7)) == [num, addr, Piece(kick, rights(7), Trait.GLUED)]


def test_descriptors_go_with_the_message_that_begins_at_the_end_of_a_read() -> None:
    direction = framer()
    kick = message(KICK, bytes(8))
    assert direction.feed(message(NUM, bytes(8)) + kick[:12], rights(7)) == [message(NUM, bytes(8))]
    assert direction.feed(kick[12:]) == [Piece(kick, rights(7), Trait.GLUED | Trait.SPLIT)]


def test_the_table_decides_when_the_last_message_cannot_have_descriptors() -> None:
    kick, num = message(KICK, bytes(8)), message(NUM, bytes(8))
    assert framer().feed(kick + num + num, rights(7)) == [Piece(kick, rights(7)), num, num]


def test_descriptors_stay_with_the_last_message_when_no_other_can_have_them() -> None:
    num, addr = message(NUM, bytes(8)), message(ADDR, bytes(40))
    assert framer().feed(num + addr, rights(7)) == [num, Piece(addr, rights(7), Trait.GLUED)]


def test_an_unknown_message_may_have_descriptors() -> None:
    kick, unknown = message(KICK, bytes(8)), message(UNKNOWN)
    assert framer().feed(kick + unknown, rights(7)) == [kick, Piece(unknown, rights(7), Trait.GLUED)]


def test_replies_have_descriptors_of_their_own() -> None:
    request, reply = NUMBERS["POSTCOPY_ADVISE"], NUMBERS["GET_VRING_BASE"]
    direction = Framer(Channel.MAIN, Side.BACK_END)
    first, second = message(request, flags=5), message(reply, bytes(8), flags=5)
    assert direction.feed(first + second, rights(7)) == [Piece(first, rights(7)), second]


def test_descriptors_that_come_with_the_payload_are_late() -> None:
    direction = framer()
    kick = message(KICK, bytes(8))
    assert direction.feed(kick[:12]) == []
    assert direction.feed(kick[12:], rights(7)) == [Piece(kick, rights(7), Trait.SPLIT | Trait.LATE_DESCRIPTORS)]


def test_descriptors_from_several_reads_are_all_kept() -> None:
    direction = framer()
    kick = message(KICK, bytes(8))
    direction.feed(kick[:12], rights(7))
    (piece,) = direction.feed(kick[12:], rights(8))
    assert isinstance(piece, Piece)
    assert piece.rights == rights(7, 8)


def test_lost_descriptors_are_told_of_the_message_that_had_them() -> None:
    num, kick = message(NUM, bytes(8)), message(KICK, bytes(8))
    assert framer().feed(num + kick, [], True) == [num, Piece(kick, [], Trait.GLUED | Trait.DESCRIPTORS_LOST)]


def test_a_long_message_is_passed_on_as_it_comes() -> None:
    direction = framer()
    start = struct.pack("=III", KICK, 1, 0xFFFF_FFFF) + b"first"
    assert direction.feed(start, rights(7)) == [Piece(start, rights(7), Trait.SPLIT, end=False)]
    assert direction.feed(b"more") == [Piece(b"more", [], start=False, end=False)]


def test_behind_a_long_message_framing_goes_on() -> None:
    direction = framer()
    long, kick = message(NUM, bytes(WHOLE)), message(KICK, bytes(8))
    assert len(direction.feed(long[:-3])) == 1
    assert direction.feed(long[-3:] + kick, rights(7)) == [
        Piece(long[-3:], [], start=False, end=True),
        Piece(kick, rights(7), Trait.GLUED),
    ]


def test_memory_is_bounded_whatever_a_header_claims() -> None:
    direction = framer()
    direction.feed(struct.pack("=III", NUM, 1, WHOLE - 12) + bytes(WHOLE - 100))
    assert not direction.aligned
    (piece,) = direction.feed(bytes(88))
    assert isinstance(piece, Piece)
    assert len(piece.data) == WHOLE


@pytest.mark.parametrize("cut", [1, 11, 12, 19])
def test_the_end_of_the_stream_within_a_message(cut: int) -> None:
    direction = framer()
    data = message(NUM, bytes(8))
    assert direction.feed(data + data[:cut], rights(7)) == [data]
    assert direction.finish() == Piece(data[:cut], rights(7), Trait.GLUED | Trait.CUT_SHORT)
    assert direction.aligned


def test_the_end_of_the_stream_within_a_long_message() -> None:
    direction = framer()
    direction.feed(struct.pack("=III", NUM, 1, 1 << 20))
    assert direction.finish() == Piece(b"", [], Trait.CUT_SHORT, start=False)


def test_the_end_of_the_stream_between_messages() -> None:
    direction = framer()
    direction.feed(message(NUM, bytes(8)))
    assert direction.finish() is None


@pytest.mark.parametrize(("order", "mark"), [("<", 0), (">", Trait.BIG_ENDIAN)])
def test_the_first_header_decides_the_byte_order(order: str, mark: int) -> None:
    direction = framer()
    num, kick = message(NUM, bytes(8), order=order), message(KICK, bytes(8), order=order)
    first, second = direction.feed(num + kick, rights(7))
    assert (first if isinstance(first, bytes) else first.data) == num
    assert second == Piece(kick, rights(7), Trait.GLUED | mark)
    assert direction.byte_order == ("big" if order == ">" else "little")


def test_a_given_byte_order_is_not_decided_again() -> None:
    direction = Framer(Channel.GPU, Side.BACK_END, "big")
    data = message(1, flags=0, order=">")
    assert direction.feed(data) == [Piece(data, [], Trait.BIG_ENDIAN)]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.sampled_from([None, "little", "big"]))
def test_whatever_comes_goes_out_byte_for_byte(reads: list[bytes], byte_order: str | None) -> None:
    direction = Framer(Channel.MAIN, Side.BACK_END, byte_order)  # type: ignore[arg-type]
    pieces = [piece for read in reads for piece in direction.feed(read)]
    if last := direction.finish():
        pieces.append(last)
    out = b"".join(piece if isinstance(piece, bytes) else piece.data for piece in pieces)
    assert out == b"".join(reads)
