"""Invalid messages are refused with the place of the error: the message, the field, the entry of an array."""

from typing import Any

import pytest

from vudissect.protocol.model import Array, Channel, Layout, Row
from vudissect.protocol.payloads import ACK, VRING_STATE
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import Codec, layout_codec
from vudissect.wire.errors import FieldError
from vudissect.wire.fields import from_fields

LITTLE = Codec(UPSTREAM, "little")
REGION = {"guest_addr": 0, "size": 4096, "user_addr": 0, "mmap_offset": 0}


def row_of(name: str) -> Row:
    (row,) = (row for row in UPSTREAM.channel(Channel.MAIN) if row.name == name)
    return row


def encode(name: str, fields: Any, layout: Layout | None = None) -> bytes:
    row = row_of(name)
    layout = layout or row.request[0]
    return LITTLE.encode(row, layout, from_fields(layout, fields, row.name))


@pytest.mark.parametrize(
    ("name", "fields", "error"),
    [
        (
            "SET_MEM_TABLE",
            {"regions": [REGION, REGION, REGION, REGION | {"size": 1 << 70}]},
            "SET_MEM_TABLE.regions[3].size: 1180591620717411303424 does not fit into u64",
        ),
        ("SET_MEM_TABLE", {"regions": 5}, "SET_MEM_TABLE.regions: a list is needed, not 5"),
        ("SET_MEM_TABLE", {"regions": "abc"}, "SET_MEM_TABLE.regions: a list is needed, not 'abc'"),
        ("SET_MEM_TABLE", {"regions": [REGION, 7]}, "SET_MEM_TABLE.regions[1]: named fields are needed, not 7"),
        (
            "SET_MEM_TABLE",
            {"regions": [{"where": 0}]},
            "SET_MEM_TABLE.regions[0]: no field 'where'; its fields: guest_addr, size, user_addr, mmap_offset",
        ),
        ("SET_VRING_NUM", 5, "SET_VRING_NUM: named fields are needed, not 5"),
        ("SET_VRING_NUM", {"num": None}, "SET_VRING_NUM.num: a whole number is needed, not None"),
        ("SET_VRING_NUM", {"num": 1.5}, "SET_VRING_NUM.num: a whole number is needed, not 1.5"),
        ("SET_VRING_NUM", {"num": -1}, "SET_VRING_NUM.num: -1 does not fit into u32"),
        ("SET_VRING_NUM", {"num": 1 << 99999}, "SET_VRING_NUM.num: a number of 100000 bits does not fit into u32"),
        ("SET_VRING_KICK", {"index": 256}, "SET_VRING_KICK.index: 256 does not fit into 8 bits"),
        ("SET_VRING_KICK", {"index": "0"}, "SET_VRING_KICK.index: a whole number is needed, not '0'"),
        ("SET_CONFIG", {"contents": 5}, "SET_CONFIG.contents: bytes or text are needed, not 5"),
        ("SET_CONFIG", {"contents": "xyz"}, "SET_CONFIG.contents: 'xyz' is not hexadecimal"),
        ("GET_SHARED_OBJECT", {"uuid": bytes(17)}, "GET_SHARED_OBJECT.uuid: there is room for 16 bytes, not 17"),
    ],
)
def test_an_invalid_value_is_refused_with_its_path(name: str, fields: Any, error: str) -> None:
    with pytest.raises(FieldError) as raised:
        encode(name, fields)
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ((0,), "SET_VRING_NUM: 2 values are needed, not (0,)"),
        (None, "SET_VRING_NUM: 2 values are needed, not None"),
        ((0, "x"), "SET_VRING_NUM.num: a whole number is needed, not 'x'"),
    ],
)
def test_values_of_another_shape_are_refused(values: Any, error: str) -> None:
    row = row_of("SET_VRING_NUM")
    with pytest.raises(FieldError) as raised:
        LITTLE.encode(row, row.request[0], values)
    assert str(raised.value) == error


def test_an_entry_of_another_shape_is_refused() -> None:
    row = row_of("SET_MEM_TABLE")
    with pytest.raises(FieldError) as raised:
        LITTLE.encode(row, row.request[0], (1, bytes(4), ((1, 2, 3),)))
    assert str(raised.value) == "SET_MEM_TABLE.regions[0]: 4 values are needed, not (1, 2, 3)"


def test_without_a_message_the_layout_is_named() -> None:
    with pytest.raises(FieldError, match=r"^ack\.result: a whole number is needed, not 'x'$"):
        layout_codec(ACK, "little").encode(("x",))


def test_an_array_of_a_fixed_size_has_no_room_for_more() -> None:
    layout = Layout("pair", array=Array("entries", VRING_STATE, 2))
    with pytest.raises(FieldError, match=r"^pair\.entries: there is room for 2 entries, not 3$"):
        from_fields(layout, {"entries": [{}, {}, {}]})
