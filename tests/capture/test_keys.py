"""Key material is never in a capture, in any form of any dialect, whatever the size and the snap length."""

import struct
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capture.examples import encoder, read
from tests.capture.test_format_document import rows_after
from tests.keys import FORMS_WITH_KEYS, HEADER, WithKey, leaked, messages_with_keys, resized
from tests.wire.strategies import FORMS, Form, pack, values
from vudissect.capture.keys import KEY_PLACES, without_keys
from vudissect.capture.record import Mark, Record
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.model import Channel, Meaning, Side

# With the size of another form it would be a message of that form, whose other fields are no keys.
_SIZES_OF_FORMS = {form.layout.fixed_size for form in FORMS_WITH_KEYS}
sizes = st.integers(0, 1200)
other_sizes = sizes.filter(lambda size: size not in _SIZES_OF_FORMS)
snap_lengths = st.one_of(st.integers(12, 1200), st.just(65536))


def in_a_row(messages: list[bytes], sender: Side, snaplen: int, *, keep_keys: bool = False) -> list[Record]:
    """Messages as the relay records them under load."""
    code = encoder(snaplen, keep_keys=keep_keys)
    return read(code.preamble() + b"".join(code.messages(1, Channel.MAIN, sender, 1, 2, 3, messages)))


def alone(message: bytes, sender: Side, snaplen: int) -> Record:
    """A message as the relay records one that arrived in parts, or with descriptors."""
    code = encoder(snaplen)
    (record,) = read(
        code.preamble() + code.message(1, Channel.MAIN, sender, 1, 2, 3, message[:snaplen], len(message), Mark.SPLIT)
    )
    return record


def test_there_are_forms_with_keys() -> None:
    assert {form.layout.title for form in FORMS_WITH_KEYS} == {
        "crypto session (first)",
        "crypto session (second)",
        "crypto session (third)",
        "crypto session (third, asymmetric)",
    }


def test_keys_are_only_in_fixed_fields() -> None:
    layouts = [
        layout for dialect in DIALECTS for row in dialect.protocol.messages for layout in (*row.request, *row.reply)
    ]
    rest = [layout.tail.field for layout in layouts if layout.tail]
    rest += chain.from_iterable(layout.array.entry.fields for layout in layouts if layout.array)
    variable = [layout for layout in layouts if layout.size is None]

    assert Meaning.SECRET not in {field.meaning for field in rest}
    assert Meaning.SECRET not in {field.meaning for layout in variable for field in layout.fields}


@given(messages_with_keys(), snap_lengths)
def test_no_key_is_recorded(given_message: tuple[Form, str, WithKey], snaplen: int) -> None:
    _, _, message = given_message
    other = struct.pack("<III", 12, 1, 40) + bytes(40)

    records = in_a_row([other, message.data, other, message.data], message.sender, snaplen)
    records.append(alone(message.data, message.sender, snaplen))

    assert [leaked(message.keys, record.data) for record in records] == [set()] * 5
    assert [len(record.data) for record in records] == [
        min(len(data), snaplen) for data in (other, message.data, other, message.data, message.data)
    ]


@given(messages_with_keys(), other_sizes, snap_lengths)
def test_no_key_of_a_message_with_another_size_is_recorded(
    given_message: tuple[Form, str, WithKey], size: int, snaplen: int
) -> None:
    _, order, message = given_message
    data = resized(message, order, size)

    records = [*in_a_row([data], message.sender, snaplen), alone(data, message.sender, snaplen)]

    assert [leaked(message.keys, record.data) for record in records] == [set(), set()]


@pytest.mark.parametrize(
    ("size", "first"), [(624, 48), (620, 44), (1064, 32)], ids=["first", "second", "third, asymmetric"]
)
def test_no_key_of_a_machine_with_32_bit_pointers_is_recorded(size: int, first: int) -> None:
    key = bytes(range(1, 256)) * 4
    payload = (bytes(first) + key)[: size - 8] + bytes(8)

    (record,) = in_a_row([struct.pack("<III", 26, 1, size) + payload], Side.FRONT_END, 65536)

    assert leaked((key,), record.data) == set()


@given(messages_with_keys(), sizes)
def test_no_key_of_a_message_that_was_cut_is_recorded(given_message: tuple[Form, str, WithKey], size: int) -> None:
    _, _, message = given_message

    record = alone(message.data[: HEADER + size], message.sender, 65536)

    assert leaked(message.keys, record.data) == set()


@given(messages_with_keys(), st.integers(0, (1 << 32) - 1))
def test_no_key_is_recorded_whatever_the_header_claims(given_message: tuple[Form, str, WithKey], claimed: int) -> None:
    _, order, message = given_message
    data = message.data[:8] + struct.pack(f"{order}I", claimed) + message.data[HEADER:]

    assert leaked(message.keys, alone(data, message.sender, 65536).data) == set()


@given(messages_with_keys())
def test_all_but_key_material_is_recorded(given_message: tuple[Form, str, WithKey]) -> None:
    form, _, message = given_message

    (record,) = in_a_row([message.data], message.sender, 65536)

    offset = HEADER
    for field in form.layout.fields:
        stored, sent = record.data[offset : offset + field.size], message.data[offset : offset + field.size]
        assert stored == sent or field.meaning in (Meaning.SECRET, Meaning.POINTER), field.name
        offset += field.size


@given(messages_with_keys(), st.integers(12, 100))
def test_the_mark_is_set_if_keys_were_left_out(given_message: tuple[Form, str, WithKey], snaplen: int) -> None:
    form, _, message = given_message
    first = {632: 56, 1072: 40}[form.layout.fixed_size]

    (record,) = in_a_row([message.data], message.sender, snaplen)

    assert bool(record.marks & Mark.KEYS_MASKED) is (snaplen > HEADER + first)


@given(messages_with_keys())
def test_keys_are_kept_on_request(given_message: tuple[Form, str, WithKey]) -> None:
    _, _, message = given_message

    (record,) = in_a_row([message.data], message.sender, 65536, keep_keys=True)

    assert (record.data, record.marks) == (message.data, Mark(0))


OTHERS = [form for form in FORMS if form not in FORMS_WITH_KEYS]


@given(st.data())
@pytest.mark.parametrize("order", "<>")
def test_no_other_message_loses_a_byte(order: str, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(OTHERS), label="form")
    payload = pack(form.layout, data.draw(values(form.layout)), order)
    message = struct.pack(f"{order}III", form.row.id, 1, len(payload)) + payload

    assert without_keys(form.row.channel, message) is message


def test_the_number_means_something_else_on_the_other_channels() -> None:
    (number,) = {form.row.id for form in FORMS_WITH_KEYS}
    message = struct.pack("<III", number, 1, 632) + b"\1" * 632

    assert [without_keys(channel, message) is message for channel in Channel] == [False, True, True]


def test_the_document_names_the_right_bytes() -> None:
    *exact, rest = rows_after("which begins after the 12 bytes of the header")
    (number,) = {form.row.id for form in FORMS_WITH_KEYS}
    places = KEY_PLACES[Channel.MAIN, number]

    assert {(channel, numbered) for channel, numbered, *_ in (*exact, rest)} == {("main", str(number))}
    assert {int(size): span for _, _, size, span in exact} == {
        size: f"{start} to {end - 1}" for size, ((start, end),) in places.by_size.items()
    }
    assert rest[3] == f"{places.otherwise} to the end"
