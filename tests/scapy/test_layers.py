"""The layers build and dissect the same as the project's own codec, over the whole table."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.packet import Packet, Padding, Raw, fuzz

import vudissect.scapy as vu
from tests.wire.strategies import FORMS, Form, codec, form_name, values
from vudissect.protocol.devices import DEVICES
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.model import Channel, Layout, Meaning, Row, Side
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import UPSTREAM
from vudissect.scapy.fields import field_name
from vudissect.scapy.generate import Layers, layers
from vudissect.scapy.names import ACK_NAME, entry_name, header_name, message_name
from vudissect.wire.codec import forms
from vudissect.wire.header import ByteOrder
from vudissect.wire.layout import Values

BYTE_ORDERS: tuple[ByteOrder, ...] = ("little", "big")


def arguments(known: Layers, layout: Layout, given_values: Values) -> dict[str, Any]:
    """Values of the codec as users pass them to a layer; without counts and lengths."""
    said: dict[str, Any] = {}
    for field, value in zip(layout.fields, given_values, strict=False):
        if field.parts:
            said |= {field_name(part.name): (value & part.mask) >> part.low for part in field.parts}
        elif field.meaning is Meaning.UUID:
            said[field_name(field.name)] = UUID(bytes=value)
        elif field.meaning is Meaning.MAC:
            said[field_name(field.name)] = value.hex(":")
        else:
            said[field_name(field.name)] = value
    rest = given_values[len(layout.fields) :]
    if layout.array is not None:
        entry = layout.array.entry
        layer = known.by_name[entry_name(entry)]
        said[layout.array.name] = [layer(**arguments(known, entry, each)) for each in rest[0]]
        if isinstance(layout.array.count, str):
            del said[layout.array.count]
    elif layout.tail is not None:
        said[field_name(layout.tail.field.name)] = rest[0]
        if layout.tail.length == ("size",):
            del said["size"]
    return said


def own_layers(dialect: Dialect) -> set[type[Packet]]:
    """The layers that a dialect does not share with upstream, in both byte orders."""
    own = {layer for order in BYTE_ORDERS for layer in layers(dialect.protocol, order).by_name.values()}
    shared = {layer for order in BYTE_ORDERS for layer in layers(UPSTREAM, order).by_name.values()}
    return own if dialect.protocol is UPSTREAM else own - shared


def layer_of(known: Layers, row: Row, layout: Layout, *, reply: bool) -> type[Packet]:
    return known.by_name[ACK_NAME if layout is ACK else message_name(row, layout, reply=reply)]


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
@pytest.mark.parametrize("form", FORMS, ids=form_name)
@settings(max_examples=10)
@given(data=st.data())
def test_every_form_is_built_as_the_encoder_builds_it_and_is_dissected_again(
    form: Form, byte_order: ByteOrder, data: st.DataObject
) -> None:
    protocol, row, reply, layout = form
    known = layers(protocol, byte_order)
    wanted = data.draw(values(layout))
    header = known.by_name[header_name(row.channel)]
    layer = known.by_name[message_name(row, layout, reply=reply)]

    built = bytes(header() / layer(**arguments(known, layout, wanted)))

    assert built == codec(protocol, byte_order).encode(row, layout, wanted, reply=reply)
    other = Side.BACK_END if row.initiator is Side.FRONT_END else Side.FRONT_END
    decoded = codec(protocol, byte_order).decode(row.channel, other if reply else row.initiator, built)
    assert decoded.layout is not None
    dissected = header(built)
    assert type(dissected.payload) is layer_of(known, row, decoded.layout, reply=reply)
    dissected.clear_cache()
    assert bytes(dissected) == built


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_no_two_forms_of_a_dialect_have_one_name(dialect: Dialect) -> None:
    names = [
        message_name(row, layout, reply=reply)
        for row in dialect.protocol.messages
        for reply in (False, True)
        for layout in forms(row, reply=reply)
        if layout is not ACK
    ]

    assert sorted(set(names)) == sorted(names)
    assert not set(names) & {entry_name(layout) for layout in _entries(dialect.protocol.messages)}


def _entries(rows: Any) -> Iterator[Layout]:
    for row in rows:
        for layout in (*row.request, *row.reply):
            if layout.array is not None:
                yield layout.array.entry


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_no_field_is_hidden_by_an_attribute_of_packets(dialect: Dialect) -> None:
    fields = {field.name for layer in own_layers(dialect) for field in layer.fields_desc}

    assert [name for name in fields if hasattr(Packet, name)] == []


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_every_layer_can_be_fuzzed_and_shown(dialect: Dialect) -> None:
    for layer in own_layers(dialect):
        fuzzed = bytes(fuzz(layer()))

        assert bytes(layer(fuzzed)) == fuzzed
        assert layer.__name__ in str(layer(fuzzed).show(dump=True))
        assert fuzz(layer()).summary()


def test_a_fuzzed_message_keeps_its_number_and_its_size() -> None:
    built = bytes(fuzz(vu.VhostUser() / vu.SetVringAddr()))

    number, _, size = struct.unpack_from("<III", built)
    assert (number, size, len(built)) == (9, 40, 52)


def test_header_and_payload_are_as_specified() -> None:
    message = vu.VhostUser() / vu.SetVringNum(index=0, num=256)

    assert bytes(message) == struct.pack("<IIIII", 8, 1, 8, 0, 256)
    assert message.summary() == "SET_VRING_NUM / index=0 num=256"


def test_a_reply_has_the_reply_flag() -> None:
    assert bytes(vu.VhostUser() / vu.GetQueueNumReply(queues=2)) == struct.pack("<IIIQ", 17, 5, 8, 2)


def test_an_acknowledgement_needs_the_number_of_its_request() -> None:
    ack = vu.VhostUser(id="SET_MEM_TABLE") / vu.Ack(result=1)

    assert bytes(ack) == struct.pack("<IIIQ", 5, 5, 8, 1)
    assert type(vu.VhostUser(bytes(ack)).payload) is vu.Ack


def test_the_channels_have_their_own_numbers() -> None:
    assert bytes(vu.VhostUserBackend() / vu.BackendIotlbMsg(type="MISS"))[:8] == struct.pack("<II", 1, 1)
    assert bytes(vu.VhostUserGpu() / vu.GpuScanout())[:8] == struct.pack("<II", 7, 0)


def test_explicit_values_are_written_whatever_they_are() -> None:
    message = vu.VhostUser(id=99, size=4096, version=3) / vu.SetMemTable(nregions=8, regions=[vu.MemoryRegion()])

    built = bytes(message)

    assert struct.unpack_from("<IIII", built) == (99, 3, 4096, 8)
    assert len(built) == 12 + 8 + 32


def test_a_message_without_payload_is_also_a_layer() -> None:
    dissected = vu.VhostUser(struct.pack("<III", 1, 1, 0))

    assert vu.GetFeatures in dissected
    assert dissected.summary() == "GET_FEATURES"


def test_what_fits_no_form_is_raw() -> None:
    dissected = vu.VhostUser(struct.pack("<III", 8, 1, 3) + b"abcdef")

    assert (dissected[Raw].load, dissected[Padding].load) == (b"abc", b"def")


def test_flags_choices_and_features_accept_names() -> None:
    message = vu.VhostUser(flags="need_reply") / vu.SetProtocolFeatures(features="MQ+REPLY_ACK")

    assert bytes(message) == struct.pack("<IIIQ", 16, 9, 8, 0b1001)
    assert "features  = MQ+REPLY_ACK" in str(message.show(dump=True))


def test_a_layer_of_the_other_byte_order_is_a_subclass() -> None:
    big = vu.layers_of(byte_order="big")

    dissected = big.VhostUser(struct.pack(">IIIII", 8, 1, 8, 3, 256))

    assert vu.SetVringNum in dissected
    assert (dissected[vu.SetVringNum].index, dissected[vu.SetVringNum].num) == (3, 256)


def test_a_dialect_has_layers_of_its_own_for_what_it_changes() -> None:
    draft = vu.layers_of("mst-2015")

    assert draft.SetVringNum is not None
    assert draft.GetFeatures is vu.GetFeatures
    with pytest.raises(ValueError, match="unknown dialect 'klingon'"):
        vu.layers_of("klingon")


def test_a_failed_request_has_the_error_bit_of_the_draft() -> None:
    draft = vu.layers_of("mst-2015")

    dissected = draft.VhostUser(struct.pack("<IIIII", 0x80000008, 5, 8, 3, 256))

    assert type(dissected.payload) is draft.SetVringNum


def test_only_the_length_of_keys_is_shown() -> None:
    message = vu.VhostUser() / vu.CreateCryptoSession(key=b"secret")

    assert "(64 bytes of key material, not shown)" in str(vu.VhostUser(bytes(message)).show(dump=True))
    assert b"secret".hex() not in str(message.show(dump=True))


def test_long_bytes_are_shown_in_part() -> None:
    message = vu.VhostUserGpu() / vu.GpuUpdate(width=100, height=50, pixels=bytes(20_000))

    assert "(20000 bytes)" in str(vu.VhostUserGpu(bytes(message)).show(dump=True))


@pytest.mark.parametrize("device", [device for device in DEVICES if device.config.fields], ids=lambda d: d.name)
def test_a_configuration_space_can_be_cut_short_anywhere(device: Any) -> None:
    layer = next(layer for name, layer in vars(vu).items() if name.lower() == f"config{device.name}")
    whole = bytes(layer())

    for length in range(1, len(whole) + 1):
        assert bytes(layer(whole[:length])) == whole[:length]


def test_a_configuration_space_is_the_contents_of_a_message() -> None:
    reply = vu.VhostUser() / vu.GetConfigReply(contents=bytes(vu.ConfigBlk(capacity=2048))[:60])

    dissected = vu.VhostUser(bytes(reply))

    assert dissected.payload.size == 60
    assert vu.ConfigBlk(dissected.contents).capacity == 2048


class TestAnswers:
    def test_a_reply_answers_its_request(self) -> None:
        request, reply = vu.VhostUser() / vu.GetFeatures(), vu.VhostUser() / vu.GetFeaturesReply()

        assert reply.answers(request)
        assert reply.hashret() == request.hashret()
        assert not request.answers(reply)

    def test_another_reply_does_not(self) -> None:
        assert not (vu.VhostUser() / vu.GetQueueNumReply()).answers(vu.VhostUser() / vu.GetFeatures())

    def test_an_acknowledgement_answers_a_request_with_need_reply(self) -> None:
        ack = vu.VhostUser(id="SET_OWNER") / vu.Ack()

        assert ack.answers(vu.VhostUser(flags="need_reply") / vu.SetOwner())
        assert not ack.answers(vu.VhostUser() / vu.SetOwner())

    def test_the_same_number_on_another_channel_is_another_message(self) -> None:
        assert not (vu.VhostUserGpu() / vu.GpuGetProtocolFeaturesReply()).answers(vu.VhostUser() / vu.GetFeatures())

    def test_in_a_capture_connection_channel_and_direction_count(self) -> None:
        asked = vu.VhostUserRecord(sequence=1) / vu.VhostUser() / vu.GetFeatures()
        answered = vu.VhostUserRecord(sequence=2, sender="back-end") / vu.VhostUser() / vu.GetFeaturesReply()

        assert answered.answers(asked)
        for wrong in ({"connection": 2}, {"sender": "front-end"}, {"sequence": 0}, {"channel": "backend"}):
            other = answered.copy()
            for name, value in wrong.items():
                setattr(other, name, value)
            assert not other.answers(asked)

    def test_the_record_has_the_sender_if_the_flags_are_left_over(self) -> None:
        update = vu.VhostUserGpu(flags="reply") / vu.GpuUpdate()
        record = vu.ExportedPdu() / vu.VhostUserRecord(channel="gpu", sender="back-end") / update

        assert type(vu.ExportedPdu(bytes(record)).lastlayer()) is vu.GpuUpdate


@given(data=st.binary(max_size=300))
def test_no_bytes_make_the_layers_of_a_capture_raise(data: bytes) -> None:
    start = bytes(vu.ExportedPdu() / vu.VhostUserRecord(descriptors=[vu.VhostUserDescriptor()]))

    for packet in (data, start + data, start[:60] + data):
        dissected = vu.ExportedPdu(packet)
        assert bytes(dissected) == packet
        dissected.summary()
        str(dissected.show(dump=True))


def test_one_import_has_everything_for_the_recipes() -> None:
    names: dict[str, Any] = {}

    exec("from vudissect.scapy import *", names)

    assert {"rdpcap", "wrpcap", "PcapReader", "PcapNgWriter", "fuzz", "StreamSocket", "VhostUser"} <= set(names)
    assert {row.name for row in UPSTREAM.channel(Channel.MAIN)} == set(names["VhostUser"]().get_field("id").s2i)


def test_without_scapy_the_error_names_what_to_install() -> None:
    code = "import sys; sys.modules['scapy'] = None; from vudissect.scapy import *"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert result.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: vudissect.scapy needs scapy: pip install 'vudissect[scapy]'"
    )
