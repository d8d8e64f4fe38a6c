"""Example records, and captures in forms that vuproxy does not write itself."""

from collections.abc import Iterator
from io import BytesIO
from struct import Struct

from hypothesis import strategies as st

from vudissect.capture import blocks
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.files import ByteSource
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Side

EPOCH_OFFSET = 1_700_000_000_000_000_000

MEMORY = Descriptor(DescriptorKind.MEMFD, "1:24", 1 << 28, 4096, 2, 0o100002, "/memfd:pc.ram (deleted)")
EVENT = Descriptor(DescriptorKind.EVENTFD, "eventfd:7", flags=2, name="anon_inode:[eventfd]")

OPENED: dict[str, str | int] = {"front_end_pid": 42, "front_end_command": "qemu\x1b[1mé"}

_number32 = st.integers(0, (1 << 32) - 1)
_number64 = st.integers(0, (1 << 64) - 1)

descriptors = st.builds(
    Descriptor,
    kind=st.sampled_from(DescriptorKind),
    identity=st.text(max_size=60),
    size=_number64,
    page_size=_number64,
    seals=st.integers(-(1 << 31), (1 << 31) - 1),
    flags=_number32,
    name=st.text(max_size=120),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    kind = draw(st.sampled_from(RecordKind))
    is_message = kind is RecordKind.MESSAGE
    data = draw(st.binary(max_size=200)) if is_message else b""
    details = st.dictionaries(st.text(), st.one_of(st.text(), st.integers(-(1 << 63), (1 << 64) - 1)), max_size=4)
    return Record(
        kind=kind,
        connection=draw(_number32),
        channel=draw(st.sampled_from(Channel)),
        sender=draw(st.sampled_from([Side.FRONT_END, Side.BACK_END] if is_message else Side)),
        sequence=draw(_number64),
        received=draw(_number64),
        forwarded=draw(_number64),
        time=draw(_number64),
        length=len(data) + draw(st.sampled_from([0, 0, 1, 1 << 31])) if is_message else 0,
        data=data,
        marks=Mark(draw(st.integers(0, 0xFF))),
        descriptors=tuple(draw(st.lists(descriptors, max_size=3))),
        details={} if is_message else draw(details),
    )


def encoder(snaplen: int = 65536, *, keep_keys: bool = False) -> CaptureEncoder:
    command = "vuproxy --listen a --connect b"
    return CaptureEncoder("vudissect 1.0", command, snaplen, EPOCH_OFFSET, keep_keys=keep_keys)


def conversation() -> list[bytes]:
    """A preamble, then one block for each event and message of a short session."""
    code = encoder()
    return [
        code.preamble(),
        code.event(RecordKind.CONNECTION_OPENED, 1, Channel.MAIN, 0, 1_000, OPENED),
        code.message(1, Channel.MAIN, Side.FRONT_END, 1, 2_000, 2_500, bytes(range(12)), 12),
        code.message(1, Channel.MAIN, Side.BACK_END, 2, 3_000, 3_100, bytes(range(21)), 21, Mark.SPLIT),
        code.message(1, Channel.BACKEND, Side.BACK_END, 3, 4_000, 4_100, bytes(52), 52, 0, (MEMORY, EVENT)),
        code.message(1, Channel.GPU, Side.BACK_END, 4, 5_000, 5_100, bytes(100), 4_096_020, Mark.GLUED),
        code.event(RecordKind.NOTE, 1, Channel.BACKEND, 4, 6_000, {"text": "not a stream socket"}),
    ]


def read(capture: bytes) -> list[Record]:
    return list(read_capture(BytesIO(capture)))


def read_until_error(stream: ByteSource) -> tuple[list[Record], Exception | None]:
    """The records of a capture, and the error that ended reading."""
    got = []
    try:
        for record in read_capture(stream):
            got.append(record)
    except ValueError as error:
        return got, error
    return got, None


def interface(link_type: int, *options: tuple[int, bytes]) -> bytes:
    """An interface description block."""
    return blocks.block(blocks.INTERFACE_DESCRIPTION, Struct("<HHI").pack(link_type, 0, 0) + blocks.options(*options))


def big_endian(capture: bytes) -> bytes:
    """The same capture as a machine with the other byte order writes it; the data of packets are unchanged."""
    swapped = []
    for block_type, body in _blocks(capture):
        if block_type == blocks.SECTION_HEADER:
            body = _swap("IHHq", body) + _swap_options(body[16:])
        elif block_type == blocks.INTERFACE_DESCRIPTION:
            body = _swap("HHI", body) + _swap_options(body[8:])
        elif block_type == blocks.NAME_RESOLUTION:
            body = _swap_options(body)
        else:
            captured = Struct("<12xI").unpack_from(body)[0]
            end = 20 + captured + len(blocks.PADDING[captured & 3])
            body = _swap("IIIII", body) + body[20:end] + _swap_options(body[end:])
        total = len(body) + blocks.BLOCK_OVERHEAD
        swapped.append(Struct(">II").pack(block_type, total) + body + Struct(">I").pack(total))
    return b"".join(swapped)


def _blocks(capture: bytes) -> Iterator[tuple[int, bytes]]:
    while capture:
        block_type, total = Struct("<II").unpack_from(capture)
        yield block_type, capture[8 : total - 4]
        capture = capture[total:]


def _swap(codes: str, body: bytes) -> bytes:
    return Struct(">" + codes).pack(*Struct("<" + codes).unpack_from(body))


def _swap_options(options: bytes) -> bytes:
    swapped = b""
    while options:
        (length,) = Struct("<2xH").unpack_from(options)
        end = 4 + length + len(blocks.PADDING[length & 3])
        swapped += _swap("HH", options) + options[4:end]
        options = options[end:]
    return swapped
