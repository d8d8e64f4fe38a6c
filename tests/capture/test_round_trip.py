"""Records that are written into a capture are read from it."""

from hypothesis import given
from hypothesis import strategies as st

from tests.capture.examples import (
    EPOCH_OFFSET,
    EVENT,
    MEMORY,
    big_endian,
    conversation,
    encoder,
    interface,
    read,
    records,
)
from vudissect.capture.packet import MAX_MESSAGE
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Side


@given(st.lists(records(), min_size=1, max_size=5))
def test_every_field_of_a_record_survives(written: list[Record]) -> None:
    code = encoder(keep_keys=True)
    capture = code.preamble() + b"".join(map(code.record, written))

    assert read(capture) == [record._replace(frame=number) for number, record in enumerate(written, 1)]


@given(
    channel=st.sampled_from(Channel),
    sender=st.sampled_from([Side.FRONT_END, Side.BACK_END]),
    data=st.binary(max_size=100),
    unseen=st.sampled_from([0, 0, 5, 1 << 32]),
    marks=st.integers(0, 0xFF),
)
def test_message_and_record_write_the_same(
    channel: Channel, sender: Side, data: bytes, unseen: int, marks: int
) -> None:
    code = encoder(keep_keys=True)
    record = Record(
        RecordKind.MESSAGE, 3, channel, sender, 9, 50, 60, 50 + EPOCH_OFFSET, len(data) + unseen, data, Mark(marks)
    )

    block = code.message(3, channel, sender, 9, 50, 60, data, len(data) + unseen, marks)

    assert block == code.record(record)


def test_a_plain_message_is_read_with_enum_members_not_numbers() -> None:
    code = encoder()
    message = code.message(1, Channel.BACKEND, Side.BACK_END, 1, 1, 2, bytes(12), 12, int(Mark.GLUED | Mark.SPLIT))

    (record,) = read(code.preamble() + message)

    assert record.kind is RecordKind.MESSAGE
    assert record.channel is Channel.BACKEND
    assert record.sender is Side.BACK_END
    assert isinstance(record.marks, Mark)
    assert record.marks == Mark.GLUED | Mark.SPLIT


@given(st.lists(records(), min_size=1, max_size=5))
def test_the_general_code_reads_the_same_records(written: list[Record]) -> None:
    code = encoder()
    packets = b"".join(map(code.record, written))
    # An interface with another link type turns off the fast path for plain messages.
    general = code.preamble() + interface(1) + packets

    assert read(general) == read(code.preamble() + packets)


def test_a_big_endian_section_reads_the_same() -> None:
    capture = b"".join(conversation())

    assert read(big_endian(capture)) == read(capture) != []


def test_a_message_is_cut_to_the_snap_length_but_keeps_its_length() -> None:
    code = encoder(snaplen=16)

    (record,) = read(code.preamble() + code.message(1, Channel.MAIN, Side.FRONT_END, 1, 1, 2, bytes(range(40)), 40))

    assert (record.data, record.length) == (bytes(range(16)), 40)


def test_a_message_with_descriptors_is_cut_to_the_snap_length_too() -> None:
    code = encoder(snaplen=16)

    message = code.message(1, Channel.MAIN, Side.FRONT_END, 1, 1, 2, bytes(range(40)), 40, 0, (MEMORY, EVENT))
    (record,) = read(code.preamble() + message)

    assert (record.data, record.length, record.descriptors) == (bytes(range(16)), 40, (MEMORY, EVENT))


def test_a_snap_length_is_limited_to_what_wireshark_reads() -> None:
    code = encoder(snaplen=1 << 30)

    (record,) = read(code.preamble() + code.message(1, Channel.GPU, Side.BACK_END, 1, 1, 2, bytes(1 << 20), 1 << 20))

    assert (len(record.data), record.length) == (MAX_MESSAGE, 1 << 20)


def test_a_long_name_is_cut_between_characters() -> None:
    long_named = Descriptor(DescriptorKind.FILE, identity="ü" * 1000, name="/" + "ü" * 1000)
    code = encoder()

    (record,) = read(code.preamble() + code.message(1, Channel.MAIN, Side.FRONT_END, 1, 1, 2, b"", 0, 0, (long_named,)))

    assert record.descriptors[0].identity == "ü" * 127
    assert record.descriptors[0].name == "/" + "ü" * 255


def test_a_long_detail_is_cut_and_ends_in_an_ellipsis() -> None:
    code = encoder()

    (record,) = read(code.preamble() + code.event(RecordKind.NOTE, 1, Channel.MAIN, 1, 1, {"text": "x" * 100_000}))

    assert record.details == {"text": "x" * 8191 + "…"}


def test_text_that_is_not_unicode_is_escaped() -> None:
    code = encoder()
    stray = Descriptor(DescriptorKind.FILE, name="/\udcff")

    capture = code.message(1, Channel.MAIN, Side.FRONT_END, 1, 1, 2, b"", 0, 0, (stray,)) + code.event(
        RecordKind.NOTE, 1, Channel.MAIN, 1, 1, {"text": "\udcff"}
    )
    message, note = read(code.preamble() + capture)

    assert message.descriptors[0].name == "/\\udcff"
    assert note.details == {"text": "\\udcff"}


def test_a_message_with_as_many_descriptors_as_the_kernel_passes_at_once() -> None:
    code = encoder(snaplen=1 << 20)
    many = (Descriptor(DescriptorKind.FILE, identity="i" * 300, name="n" * 5000),) * 253

    (record,) = read(
        code.preamble() + code.message(1, Channel.MAIN, Side.FRONT_END, 1, 1, 2, bytes(90_000), 90_000, 0, many)
    )

    assert len(record.descriptors) == 253
    assert 50_000 < len(record.data) < record.length
