"""The codec over the whole message table: encoded messages decode to the same values, and no bytes make it raise."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.strategies import FORMS, Form, codec, form_name, pack, values
from vudissect.protocol.dialects.drafts import MST_2015 as MST_2015_DIALECT
from vudissect.protocol.model import Channel, Layout, Meaning, Row, Side
from vudissect.protocol.payloads import ACK, MEM_TABLE, MEM_TABLE_XEN
from vudissect.protocol.table import UPSTREAM
from vudissect.protocol.unknown import unknown_row
from vudissect.wire.codec import Codec
from vudissect.wire.fields import from_fields, to_fields
from vudissect.wire.header import ByteOrder, detect_byte_order

LITTLE = Codec(UPSTREAM, "little")
MST_2015 = Codec(MST_2015_DIALECT.protocol, "little")
ORDERS = {"little": "<", "big": ">"}


def sender(row: Row, reply: bool) -> Side:
    other = Side.BACK_END if row.initiator is Side.FRONT_END else Side.FRONT_END
    return other if reply else row.initiator


def has_secrets(layout: Layout) -> bool:
    return any(field.meaning is Meaning.SECRET for field in layout.fields)


def main(name: str) -> Row:
    return next(row for row in UPSTREAM.find(name) if row.channel is Channel.MAIN)


def header(row: Row, flags: int, size: int) -> bytes:
    return struct.pack("<III", row.id, flags, size)


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("form", FORMS, ids=form_name)
@settings(max_examples=25)
@given(data=st.data())
def test_every_form_survives_a_round_trip(form: Form, byte_order: ByteOrder, data: st.DataObject) -> None:
    protocol, row, reply, layout = form
    wanted = data.draw(values(layout))
    payload = pack(layout, wanted, ORDERS[byte_order])
    flags = (0 if row.channel is Channel.GPU else row.version) | (4 if reply else 0)
    wire = struct.pack(ORDERS[byte_order] + "III", row.id, flags, len(payload)) + payload

    decoded = codec(protocol, byte_order).decode(row.channel, sender(row, reply), wire)

    assert decoded.problem == ""
    assert decoded.row is row
    assert codec(protocol, byte_order).reencode(decoded) == wire


@pytest.mark.parametrize("form", [form for form in FORMS if not has_secrets(form.layout)], ids=form_name)
@settings(max_examples=25)
@given(data=st.data())
def test_named_fields_encode_to_the_same_bytes(form: Form, data: st.DataObject) -> None:
    protocol, row, reply, layout = form
    little = codec(protocol, "little")
    wire = little.encode(row, layout, data.draw(values(layout)), reply=reply)

    decoded = little.decode(row.channel, sender(row, reply), wire)
    assert decoded.fits
    fields = to_fields(decoded.layout, decoded.values)

    assert little.encode(row, decoded.layout, from_fields(decoded.layout, fields), reply=reply) == wire


@given(
    wire=st.binary(max_size=200),
    channel=st.sampled_from(Channel),
    side=st.sampled_from([Side.FRONT_END, Side.BACK_END]),
)
def test_random_bytes_never_raise_and_none_are_lost(wire: bytes, channel: Channel, side: Side) -> None:
    decoded = LITTLE.decode(channel, side, wire)

    assert decoded.data == wire
    if decoded.problem == "":
        assert LITTLE.reencode(decoded) == wire


@given(
    channel=st.sampled_from(Channel),
    side=st.sampled_from([Side.FRONT_END, Side.BACK_END]),
    number=st.integers(0, 60),
    flags=st.sampled_from([0, 1, 2, 4, 5, 9, 13, 0xFFFFFFFF]),
    payload=st.binary(max_size=300),
    claimed=st.one_of(st.none(), st.integers(0, 2**32 - 1)),
)
def test_contradictory_messages_are_malformed(
    channel: Channel, side: Side, number: int, flags: int, payload: bytes, claimed: int | None
) -> None:
    size = len(payload) if claimed is None else claimed
    wire = struct.pack("<III", number, flags, size) + payload

    decoded = LITTLE.decode(channel, side, wire)

    assert decoded.data == wire
    if len(payload) < size:
        assert decoded.problem == f"cut short: {len(payload)} of {size} payload bytes"
    if UPSTREAM.request(channel, number) is None:
        assert decoded.problem


def test_the_number_of_regions_distinguishes_the_forms_of_a_memory_table() -> None:
    row = main("SET_MEM_TABLE")
    five_plain = LITTLE.encode(row, MEM_TABLE, from_fields(MEM_TABLE, {"regions": [{}] * 5}))
    four_xen = LITTLE.encode(row, MEM_TABLE_XEN, from_fields(MEM_TABLE_XEN, {"regions": [{}] * 4}))

    assert len(five_plain) == len(four_xen)
    assert LITTLE.decode(Channel.MAIN, Side.FRONT_END, five_plain).layout is MEM_TABLE
    assert LITTLE.decode(Channel.MAIN, Side.FRONT_END, four_xen).layout is MEM_TABLE_XEN


def test_user_mode_linux_sends_two_slots_for_one_region() -> None:
    row = main("SET_MEM_TABLE")
    payload = struct.pack("<II8Q", 1, 0, 0, 1 << 20, 0x1000, 0, *[0] * 4)

    decoded = LITTLE.decode(Channel.MAIN, Side.FRONT_END, header(row, 1, 72) + payload)

    assert decoded.problem == ""
    assert decoded.fits
    assert "two slots" in decoded.layout.deviation


def test_an_eight_byte_answer_to_a_memory_table_is_an_acknowledgement() -> None:
    wire = header(main("SET_MEM_TABLE"), 5, 8) + bytes(8)

    assert LITTLE.decode(Channel.MAIN, Side.BACK_END, wire).layout is ACK


@pytest.mark.parametrize(
    ("u32_at_8", "generation"),
    [(0x0002, "crypto session (first)"), (3, "crypto session (second)")],
)
def test_the_operation_distinguishes_two_crypto_sessions_of_one_size(u32_at_8: int, generation: str) -> None:
    payload = bytearray(632)
    struct.pack_into("<I", payload, 8, u32_at_8)

    decoded = LITTLE.decode(Channel.MAIN, Side.FRONT_END, header(main("CREATE_CRYPTO_SESSION"), 1, 632) + payload)

    assert decoded.fits
    assert decoded.layout.title == generation


@pytest.mark.parametrize(
    ("name", "side", "flags", "payload", "problem"),
    [
        ("SET_VRING_NUM", Side.FRONT_END, 1, bytes(6), "payload is 6 bytes, expected 8"),
        ("GET_FEATURES", Side.FRONT_END, 1, bytes(8), "payload is 8 bytes, expected 0"),
        ("GET_VRING_BASE", Side.BACK_END, 5, b"", "payload is 0 bytes, expected 8"),
        ("SET_OWNER", Side.FRONT_END, 2, b"", "version 2, expected 1"),
        ("SET_OWNER", Side.FRONT_END, 5, b"", "a request with the REPLY flag"),
        ("GET_FEATURES", Side.BACK_END, 1, bytes(8), "a reply without the REPLY flag"),
        ("GET_CONFIG", Side.BACK_END, 5, struct.pack("<III", 0, 9, 0), "payload is 12 bytes, expected 12 + size or 0"),
    ],
)
def test_a_broken_message_has_its_problem(name: str, side: Side, flags: int, payload: bytes, problem: str) -> None:
    row = main(name)

    decoded = LITTLE.decode(Channel.MAIN, side, header(row, flags, len(payload)) + payload)

    assert decoded.problem == problem
    assert decoded.row is row


def test_an_unknown_number_keeps_its_bytes() -> None:
    wire = struct.pack("<III", 99, 1, 3) + b"abc"

    decoded = LITTLE.decode(Channel.MAIN, Side.FRONT_END, wire)

    assert (decoded.row, decoded.problem, decoded.data) == (unknown_row(Channel.MAIN), "unknown message", wire)


def test_a_partly_recorded_message_is_decoded_up_to_where_it_ends() -> None:
    row = next(row for row in UPSTREAM.find("UPDATE") if row.channel is Channel.GPU)
    pixels = 4 * 100 * 50
    start = struct.pack("<III5I", row.id, 0, 20 + pixels, 0, 1, 2, 100, 50) + b"px"

    decoded = LITTLE.decode(Channel.GPU, Side.BACK_END, start, 12 + 20 + pixels)

    assert decoded.problem == ""
    assert decoded.values == (0, 1, 2, 100, 50, b"px")


def test_requests_on_the_gpu_channel_need_no_version() -> None:
    row = next(row for row in UPSTREAM.find("SCANOUT") if row.channel is Channel.GPU)
    wire = struct.pack("<III3I", row.id, 5, 12, 0, 640, 480)

    assert LITTLE.decode(Channel.GPU, Side.BACK_END, wire).problem == ""


@pytest.mark.parametrize(
    ("wire", "order"),
    [
        (struct.pack("<III", 1, 1, 0), "little"),
        (struct.pack(">III", 1, 1, 0), "big"),
        (struct.pack("<III", 44, 9, 0), "little"),
        (struct.pack(">III", 1004, 1, 8), "big"),
        (b"\x01\x00", None),
        (bytes(12), None),
        (b"\xff" * 12, None),
    ],
)
def test_the_first_header_has_the_byte_order(wire: bytes, order: ByteOrder | None) -> None:
    assert detect_byte_order(wire) == order


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no field 'size'; its fields: index, num"):
        from_fields(main("SET_VRING_NUM").request[0], {"index": 0, "size": 256})


def test_only_the_length_of_key_material_is_shown() -> None:
    row = main("CREATE_CRYPTO_SESSION")
    fields: dict[str, Any] = {
        "op_code": 2,
        "key": b"secret".ljust(64, b"\0"),
        "auth_key": bytes(512),
        "unused": bytes(432),
    }

    shown = to_fields(row.request[0], from_fields(row.request[0], fields))

    assert shown["key"] == "(64 bytes of key material, not shown)"
    assert "736563726574" not in str(shown)


class TestHeaderRules:
    """The draft of 2015 has a second version, and a failure bit in the number of the message."""

    @pytest.mark.parametrize("version", [1, 2])
    def test_both_versions_are_accepted(self, version: int) -> None:
        wire = struct.pack("<IIIII", 8, version, 8, 0, 256)

        decoded = MST_2015.decode(Channel.MAIN, Side.FRONT_END, wire)

        assert (decoded.problem, decoded.values) == ("", (0, 256))

    def test_a_third_version_is_not(self) -> None:
        wire = struct.pack("<III", 3, 3, 0)

        assert MST_2015.decode(Channel.MAIN, Side.FRONT_END, wire).problem == "version 3, expected 1 or 2"

    def test_a_message_is_written_in_the_version_that_has_it(self) -> None:
        old, new = (row for row in MST_2015.protocol.messages if row.id in (3, 17))

        assert MST_2015.encode(old, old.request[0], ()) == struct.pack("<III", 3, 1, 0)
        assert MST_2015.encode(new, new.request[0], ()) == struct.pack("<III", 17, 2, 0)

    def test_a_failed_request_is_sent_back_with_bit_31(self) -> None:
        wire = struct.pack("<IIIII", 0x80000008, 5, 8, 3, 256)

        decoded = MST_2015.decode(Channel.MAIN, Side.BACK_END, wire)

        assert (decoded.problem, decoded.id, decoded.error, decoded.values) == ("", 8, True, (3, 256))
        assert MST_2015.reencode(decoded) == wire

    def test_a_failed_request_with_a_reply_is_sent_back_as_the_request(self) -> None:
        wire = struct.pack("<III", 0x80000001, 5, 0)

        decoded = MST_2015.decode(Channel.MAIN, Side.BACK_END, wire)

        assert (decoded.problem, decoded.id, decoded.error) == ("", 1, True)

    def test_a_failure_that_is_not_the_request_is_malformed(self) -> None:
        wire = struct.pack("<IIIQ", 0x80000001, 5, 8, 0)

        decoded = MST_2015.decode(Channel.MAIN, Side.BACK_END, wire)

        assert (decoded.problem, decoded.error) == ("payload is 8 bytes, expected 0", True)

    def test_a_request_cannot_be_a_failure(self) -> None:
        wire = struct.pack("<III", 0x80000003, 1, 0)

        assert MST_2015.decode(Channel.MAIN, Side.FRONT_END, wire).problem == "a request with the error bit"

    def test_in_other_dialects_bit_31_belongs_to_the_number(self) -> None:
        wire = struct.pack("<IIIII", 0x80000008, 5, 8, 3, 256)

        decoded = LITTLE.decode(Channel.MAIN, Side.BACK_END, wire)

        assert (decoded.id, decoded.error, decoded.problem) == (0x80000008, False, "unknown message")

    def test_with_reply_all_an_answer_is_the_request(self) -> None:
        wire = struct.pack("<IIIII", 8, 5, 8, 3, 256)

        assert MST_2015.decode(Channel.MAIN, Side.BACK_END, wire).values == (3, 256)

    @pytest.mark.parametrize(("order", "name"), [("<", "little"), (">", "big")])
    def test_the_second_version_also_shows_the_byte_order(self, order: str, name: str) -> None:
        assert detect_byte_order(struct.pack(order + "III", 1, 2, 0)) == name


def named(codec: Codec, number: int, sender: Side, size: int = 8) -> tuple[int, bool, str]:
    """A log has only the first bytes of a message, here number and flags."""
    message = codec.decode(Channel.MAIN, sender, struct.pack("<III", number, 1, 0)[:size], 20)
    return message.id, message.error, message.problem


def test_number_and_flags_are_enough_for_a_name() -> None:
    assert named(LITTLE, main("SET_OWNER").id, Side.FRONT_END) == (main("SET_OWNER").id, False, "")
    assert named(LITTLE, 4000, Side.FRONT_END) == (4000, False, "unknown message")


def test_the_error_bit_is_no_part_of_the_number_there_either() -> None:
    number = main("SET_MEM_TABLE").id

    assert named(MST_2015, number | 1 << 31, Side.FRONT_END) == (number, True, "a request with the error bit")
    assert named(MST_2015, 4000 | 1 << 31, Side.BACK_END) == (4000, True, "unknown message")


@pytest.mark.parametrize("size", [4, 9, 11])
def test_another_part_of_a_header_is_cut_short(size: int) -> None:
    assert named(LITTLE, main("SET_OWNER").id, Side.FRONT_END, size) == (0, False, "header cut short: 20 of 12 bytes")
