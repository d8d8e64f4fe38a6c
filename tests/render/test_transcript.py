"""The transcript: the text of a conversation."""

import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conversation import MILLISECOND, Conversation, eventfd, memfd, of_kind
from tests.wire.strategies import FORMS, Form, form_name, pack, values
from vudissect.capture.record import Mark, RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Meaning, Side
from vudissect.protocol.payloads import EMPTY
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.session.session import Session, foresee


def lines(talk: Conversation, *, verbose: bool = False, times: bool = False) -> list[str]:
    session = Session(protocol=talk.protocol)
    transcript = Transcript(Style(False), verbose=verbose, times=times)
    text = "".join(transcript.text(session.feed(record)) for record in talk.records)
    return (text + transcript.unanswered(session.unanswered())).splitlines()


def last(talk: Conversation) -> str:
    """The last line without the columns before the message."""
    return lines(talk)[-1].split(maxsplit=2)[2]


def test_a_line_has_frame_time_and_direction() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")
    talk.front_end("SET_VRING_NUM", index=0, num=256)

    assert lines(talk, times=True) == [
        "     1    0.000000  F>B SET_OWNER",
        "     2    0.001000  F>B SET_VRING_NUM ring 0 num 256",
    ]


def test_without_times_nothing_differs_from_run_to_run() -> None:
    talk = Conversation()
    talk.ask("GET_QUEUE_NUM", queues=4)

    assert lines(talk) == ["     1  F>B GET_QUEUE_NUM", "     2  B>F GET_QUEUE_NUM -> queues 4 [#1]"]


def test_a_reply_names_its_request_and_how_long_it_took() -> None:
    talk = Conversation()
    talk.ask("GET_QUEUE_NUM", queues=4)

    assert lines(talk, times=True)[1].endswith("GET_QUEUE_NUM -> queues 4 [#1 +999us]")


def test_an_answer_that_came_late_is_marked() -> None:
    talk = Conversation()
    talk.front_end("GET_QUEUE_NUM")
    talk.back_end("GET_QUEUE_NUM", queues=4, after=7300 * MILLISECOND)

    assert lines(talk, times=True)[1].endswith("queues 4 [#1 +7.300s, late]")
    assert last(talk).endswith("queues 4 [#1]")


def test_one_for_which_long_is_usual_is_not() -> None:
    talk = Conversation()
    talk.open("qemu-kvm", "dpdk-testpmd")
    talk.front_end("GET_VRING_BASE", index=0)
    talk.back_end("GET_VRING_BASE", index=0, after=900 * MILLISECOND)
    talk.back_end("DMABUF_UPDATE", Channel.GPU)
    talk.front_end("DMABUF_UPDATE", Channel.GPU, after=7300 * MILLISECOND)

    assert not any("late" in line for line in lines(talk, times=True))


def test_a_message_that_was_recorded_in_part_is_cut_not_malformed() -> None:
    talk = Conversation()
    talk.front_end("SET_MEM_TABLE", regions=[{}] * 4, descriptors=(memfd(),) * 4)
    (whole,) = talk.records
    talk.records = [whole._replace(data=whole.data[:60]), whole._replace(data=whole.data[:12])]

    some, none = lines(talk)

    assert "SET_MEM_TABLE region0 0+0" in some
    assert "CUT, 60 of 148 bytes were recorded" in some
    assert "SET_MEM_TABLE CUT, 12 of 148 bytes were recorded" in none


def test_a_message_that_its_sender_cut_short_is_malformed() -> None:
    talk = Conversation()
    talk.front_end("SET_MEM_TABLE", regions=[{}] * 4, descriptors=(memfd(),) * 4)
    (whole,) = talk.records
    talk.records = [whole._replace(data=whole.data[:60], length=60, marks=Mark.CUT_SHORT)]

    assert "MALFORMED, cut short: 48 of 136 payload bytes" in lines(talk)[0]


def test_a_list_that_was_shown_before_is_referred_to() -> None:
    talk = Conversation()
    for offered in (("VERSION_1", "EVENT_IDX", "LOG_ALL"), ("VERSION_1", "EVENT_IDX", "LOG_ALL"), ("VERSION_1",)):
        talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask(*offered))

    assert [line.split("-> ")[1] for line in lines(talk)[1::2]] == [
        "LOG_ALL EVENT_IDX VERSION_1 [#1]",
        "as in #2 [#3]",
        "VERSION_1 [#5]",
    ]


def test_a_list_is_compared_with_the_latest_one() -> None:
    talk = Conversation()
    for offered in (("VERSION_1", "EVENT_IDX"), ("VERSION_1", "LOG_ALL"), ("VERSION_1", "EVENT_IDX")):
        talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask(*offered))

    assert last(talk) == "GET_FEATURES -> EVENT_IDX VERSION_1 [#5]"


def test_a_single_line_refers_to_no_other() -> None:
    talk = Conversation()
    for _ in range(2):
        talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1", "EVENT_IDX", "LOG_ALL"))
    transcript = Transcript(Style(False), times=False)

    assert [transcript.line(event) for event in talk.events()][1::2] == [
        "     2  B>F GET_FEATURES -> LOG_ALL EVENT_IDX VERSION_1 [#1]",
        "     4  B>F GET_FEATURES -> LOG_ALL EVENT_IDX VERSION_1 [#3]",
    ]


class TestWhatLinesAreReadIn:
    def test_a_guessed_device_is_marked(self) -> None:
        talk = Conversation()
        talk.open("qemu-system-x86", "virtiofsd")

        assert lines(talk)[0] == "device fs (guessed)"

    def test_one_that_the_user_named_is_not(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER")
        transcript = Transcript(Style(False))

        assert transcript.text(Session(device_by_name("net")).feed(talk.records[0])).startswith("device net\n")

    def test_it_is_shown_once_a_connection(self) -> None:
        talk = Conversation()
        talk.open("qemu-system-x86", "virtiofsd")
        talk.front_end("SET_OWNER")
        talk.open("qemu-system-x86", "passt", connection=2)
        talk.front_end("SET_VRING_NUM", index=0, num=8, connection=1)

        assert [line for line in lines(talk) if "device" in line] == ["device fs (guessed)", "c2 device net (guessed)"]

    def test_the_byte_order(self) -> None:
        talk = Conversation("big")
        talk.open("a", "b")
        talk.front_end("SET_OWNER")

        assert lines(talk)[1] == "byte-order big"

    def test_a_dialect_is_one_line_with_its_reason(self) -> None:
        text = "\n".join(shown(Conversation(protocol=NVME), "NVME_ADMIN"))

        assert re.match(r"dialect spdk-nvme-v2 \(score \d+; upstream \d+; against upstream: #1\)\n     1 ", text)

    def test_with_all_evidence_if_asked_for(self) -> None:
        text = shown(Conversation(protocol=NVME), "NVME_ADMIN", verbose=True)

        assert text[1].startswith("# runners-up: ")
        assert text[2].startswith("# #1 main NVME_ADMIN is evidence against ")


NVME = next(dialect.protocol for dialect in DIALECTS if dialect.key == "spdk-nvme-v2")


def shown(talk: Conversation, name: str, *, verbose: bool = False) -> list[str]:
    """The lines of one request in a dialect that is detected."""
    talk.front_end(name)
    session = Session(known=foresee(talk.records), detect=True)
    transcript = Transcript(Style(False), times=False, verbose=verbose, verdict=session.dialect)
    return "".join(transcript.text(session.feed(record)) for record in talk.records).splitlines()


class TestWhatIsUnusual:
    def test_an_answer_without_payload_is_empty(self) -> None:
        talk = Conversation()
        talk.front_end("SET_LOG_BASE", descriptors=(memfd(),))
        talk.back_end("SET_LOG_BASE", layout=EMPTY)

        assert last(talk).startswith("SET_LOG_BASE -> empty [")

    def test_a_request_to_stop_a_ring_has_no_position(self) -> None:
        talk = Conversation()
        talk.front_end("GET_VRING_BASE", index=1)
        talk.front_end("GET_VRING_BASE", index=1, num=5)

        assert [line.split("F>B ")[1] for line in lines(talk)[:2]] == [
            "GET_VRING_BASE ring 1",
            "GET_VRING_BASE ring 1 base 5",
        ]

    def test_flags_that_are_not_as_they_should_be(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER", header_flags=0x101)

        assert last(talk) == "SET_OWNER header_flags 0x101"

    def test_a_message_that_came_in_pieces(self) -> None:
        talk = Conversation()
        talk.front_end("SET_OWNER", marks=Mark.SPLIT)

        assert last(talk) == "SET_OWNER in pieces"

    def test_an_object_that_is_passed_twice_is_described_once(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}, {}], descriptors=(memfd(), memfd()))

        assert last(talk).endswith(" +mem#1 (memfd pc.ram 64M) mem#1")

    def test_unknown_configuration_is_said_to_be_unknown(self) -> None:
        talk = Conversation()
        talk.open("qemu", "virtiofsd")
        talk.back_end("GET_CONFIG", contents=b"myfs".ljust(36, b"\0") + bytes((1, 0, 0, 0)) + bytes(4) + b"\7\0")

        assert "fs?: tag myfs num_request_queues 1 unknown[44:46]=0700" in last(talk)

    def test_bytes_that_will_not_be_delivered_are_counted(self) -> None:
        talk = Conversation()
        talk.event(RecordKind.CONNECTION_CLOSED, by="back-end", how="reset", undelivered=24)

        assert last(talk) == "connection 1 closed by the back-end (reset), 24 bytes undelivered"

    def test_a_channel_is_named_by_the_socket_that_was_passed_for_it(self) -> None:
        talk = Conversation()
        for name in ("a", "b"):
            talk.front_end("SET_BACKEND_REQ_FD", descriptors=(of_kind(DescriptorKind.SOCKET, name),))
        talk.event(RecordKind.CHANNEL_OPENED, Channel.BACKEND, by_sequence=talk.records[0].sequence)
        talk.event(RecordKind.CHANNEL_OPENED, Channel.BACKEND)
        talk.event(RecordKind.CHANNEL_OPENED, Channel.BACKEND, by_sequence="what a damaged capture has")

        assert [line.split("--- ")[1] for line in lines(talk)[2:]] == [
            "backend channel opened on sock#1",
            "backend channel opened",
            "backend channel opened",
        ]

    @pytest.mark.parametrize(
        ("severity", "sign"),
        [(Severity.ERROR, "!"), (Severity.WARNING, "!"), (Severity.COMPAT, "~"), (Severity.INFO, "i")],
    )
    def test_the_sign_of_a_finding_shows_how_severe_it_is(self, severity: Severity, sign: str) -> None:
        finding = Finding("VU-NEG-01", severity, Blame.BOTH, 1, 1, (), "it is wrong", "")
        transcript = Transcript(Style(False), verbose=True)

        assert transcript.findings([finding], 1).strip() == f"{sign} {severity.value} VU-NEG-01 both: it is wrong"


def test_features_are_named() -> None:
    talk = Conversation()
    talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1", "EVENT_IDX"))

    assert last(talk) == "GET_FEATURES -> EVENT_IDX VERSION_1 [#1]"


@pytest.mark.parametrize(
    ("acked", "text"),
    [
        (("MQ", "REPLY_ACK", "CONFIG"), "all that was offered"),
        (("MQ", "REPLY_ACK"), "all but CONFIG"),
        (("MQ",), "only MQ"),
        ((), "none"),
        (("MQ", "RARP"), "only MQ, and NOT OFFERED: RARP"),
        (("MQ", "REPLY_ACK", "CONFIG", "RARP"), "all that was offered, and NOT OFFERED: RARP"),
    ],
)
def test_acknowledged_features_are_shown_against_the_offer(acked: tuple[str, ...], text: str) -> None:
    talk = Conversation()
    talk.ask("GET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK", "CONFIG"))
    talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask(*acked))

    assert last(talk) == f"SET_PROTOCOL_FEATURES {text}"


def test_the_features_of_the_device_are_named_once_it_is_known() -> None:
    blk = device_by_name("blk")
    assert blk is not None
    talk = Conversation()
    talk.front_end("GET_CONFIG", contents=bytes(60))
    talk.back_end("GET_CONFIG", contents=bytes(60))
    talk.ask("GET_FEATURES", features=blk.features.mask("FLUSH"))

    assert last(talk) == "GET_FEATURES -> FLUSH [#3]"


def test_ring_addresses_are_places_in_the_memory_map() -> None:
    talk = Conversation()
    region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(size=1 << 20),))
    talk.front_end("SET_VRING_ADDR", desc=0x7F00_0000_1000, avail=0x7F00_0000_2000, used=0x1234)

    assert lines(talk)[0].endswith("SET_MEM_TABLE region0 0+1M +mem#1 (memfd pc.ram 1M)")
    assert last(talk) == "SET_VRING_ADDR ring 0 desc region0+0x1000 used 0x1234 avail region0+0x2000 log 0"


def test_a_region_shows_its_offset_in_the_file() -> None:
    talk = Conversation()
    talk.front_end("ADD_MEM_REG", guest_addr=1 << 32, size=1 << 30, user_addr=0x7F80_0000_0000, mmap_offset=3 << 30)

    assert last(talk) == "ADD_MEM_REG 0x100000000+1G file+0xc0000000"
    assert lines(talk, times=True)[0].endswith("ADD_MEM_REG 0x100000000+1G at 0x7f8000000000 file+0xc0000000")


def test_a_descriptor_is_described_once_and_replaced_by_the_next() -> None:
    talk = Conversation()
    for number in (1, 2, 1):
        talk.front_end("SET_VRING_CALL", index=3, descriptors=(eventfd(number),))

    assert [line.split("SET_VRING_CALL ")[1] for line in lines(talk)] == [
        "ring 3 +evt#1",
        "ring 3 +evt#2 (was evt#1)",
        "ring 3 evt#1 (was evt#2)",
    ]


def test_a_ring_may_come_without_a_descriptor() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_KICK", index=2, nofd=1)

    assert last(talk) == "SET_VRING_KICK ring 2 nofd"


def test_need_reply_and_a_failed_acknowledgement_are_shown() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=1, need_reply=True)
    talk.back_end("SET_VRING_ENABLE", ack=1)

    assert [line.split(maxsplit=2)[2] for line in lines(talk)] == [
        "SET_VRING_ENABLE ring 0 enable need_reply",
        "SET_VRING_ENABLE -> FAILED (1) [#1]",
    ]


def test_the_kind_of_an_iotlb_message_comes_first() -> None:
    talk = Conversation()
    talk.back_end("IOTLB_MSG", Channel.BACKEND, type=1, iova=0xFFFE0000, perm=3)

    assert lines(talk) == ["     1  B>F backend: IOTLB_MSG MISS iova 0xfffe0000 size 0 user_addr 0 RW"]


def test_a_packed_ring_base_has_two_halves() -> None:
    talk = Conversation()
    talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("RING_PACKED"))
    talk.front_end("SET_VRING_BASE", index=0, num=0x8005_0007)

    assert last(talk) == "SET_VRING_BASE ring 0 avail 7 wrap 0 used 5 wrap 1"


def test_the_configuration_space_is_decoded_by_device_type() -> None:
    talk = Conversation()
    contents = (2048).to_bytes(8, "little") + bytes(52)
    talk.front_end("GET_CONFIG", contents=bytes(60))
    talk.back_end("GET_CONFIG", contents=contents)

    assert lines(talk) == [
        "     1  F>B GET_CONFIG offset 0 size 60",
        "device blk (guessed)",
        "     2  B>F GET_CONFIG -> offset 0 size 60 blk?: capacity 2048 [#1]",
    ]


def test_a_disk_with_zero_capacity_is_shown() -> None:
    talk = Conversation()
    talk.front_end("GET_CONFIG", contents=bytes(60))
    talk.back_end("GET_CONFIG", contents=bytes(12) + b"\x7e" + bytes(47))

    assert last(talk) == "GET_CONFIG -> offset 0 size 60 blk?: capacity 0 seg_max 126 [#1]"


def test_a_device_that_the_user_has_named_is_not_marked_as_a_guess() -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, back_end_command="disk", device="blk")
    talk.back_end("GET_CONFIG", contents=(2048).to_bytes(8, "little"))

    opened, answered = lines(talk)

    assert opened.endswith(", device blk")
    assert "size 8 blk: capacity 2048" in answered


def test_what_is_written_to_the_configuration_space_is_shown_by_field() -> None:
    talk = Conversation()
    talk.open("qemu-kvm", "qemu-storage-da")
    talk.front_end("SET_CONFIG", offset=32, flags=1, contents=b"\1")

    assert last(talk) == "SET_CONFIG offset 0x20 size 1 live migration blk?: writeback 1"


def test_a_field_that_is_there_in_part_and_bytes_after_the_last_one() -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, device="blk")
    talk.back_end("GET_CONFIG", offset=4, contents=bytes((1, 0, 0, 0)))
    talk.back_end("GET_CONFIG", offset=88, contents=bytes((0, 2, 0, 0, 1, 0, 0, 0, 7, 9)))

    assert [line.partition("blk: ")[2].partition(" [")[0] for line in lines(talk)[1:]] == [
        "capacity[4:8]=01000000",
        "write_granularity 512 zoned_model 1 unknown[96:98]=0709",
    ]


def test_the_configuration_space_of_an_unknown_device_is_bytes() -> None:
    talk = Conversation()
    talk.back_end("GET_CONFIG", offset=2, contents=b"\1\0\0")

    assert "size 3 unknown[2:5]=010000" in last(talk)


def test_many_zeros_at_the_end_of_unknown_bytes_are_not_listed() -> None:
    talk = Conversation()
    talk.back_end("GET_CONFIG", contents=b"\1\2".ljust(61, b"\0"))

    assert "size 61 unknown[0:2]=0102 unknown[2:61]=0 [" in last(talk)


def test_every_field_of_a_configuration_space_in_detail() -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, device="blk")
    talk.front_end("SET_CONFIG", offset=30, contents=b"\5\0\1")

    assert [line.strip() for line in lines(talk, verbose=True) if "contents" in line] == [
        "contents = 05 00 01",
        "contents.blk.writeback = 1",
        "contents.blk.opt_io_size[2:4] = 0500",
    ]


def test_a_malformed_message_shows_reason_and_bytes() -> None:
    talk = Conversation()
    talk.raw(Side.FRONT_END, struct.pack("<III", 99, 1, 2) + b"\x1b\x07")

    assert last(talk) == "message 99 MALFORMED, unknown message: 63 00 00 00 01 00 00 00 02 00 00 00 1b 07"


def test_lost_descriptors_are_in_capitals() -> None:
    talk = Conversation()
    talk.raw(Side.FRONT_END, struct.pack("<IIIQ", 12, 1, 8, 0), marks=Mark.DESCRIPTORS_LOST)

    assert last(talk) == "SET_VRING_KICK ring 0 DESCRIPTORS LOST"


def test_unanswered_requests_are_below_the_close() -> None:
    talk = Conversation()
    talk.front_end("GET_VRING_BASE", index=1)
    talk.event(RecordKind.CONNECTION_CLOSED, by="back-end", how="eof")

    assert lines(talk)[1:] == [
        "     2  --- connection 1 closed by the back-end (eof)",
        " " * 24 + "! GET_VRING_BASE (#1) was never answered",
    ]


def test_requests_pending_at_the_end_of_the_capture_are_listed_too() -> None:
    talk = Conversation()
    talk.front_end("GET_FEATURES")

    assert lines(talk)[-1].strip() == "! GET_FEATURES (#1) was never answered"


def test_a_request_with_a_finding_is_not_listed_again() -> None:
    talk = Conversation()
    talk.front_end("GET_VRING_BASE", index=1)
    talk.event(RecordKind.CONNECTION_CLOSED, by="back-end", how="eof")
    finding = Finding("VU-RPL-03", Severity.ERROR, Blame.BACK_END, 1, 1, (), "never answered", "")

    *_, closed = talk.events()
    text = Transcript(Style(False)).text(closed, [finding])

    assert [line.strip() for line in text.splitlines()[1:]] == ["! error VU-RPL-03 #1 back-end: never answered"]


def test_the_second_connection_is_marked() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER", connection=2)

    assert lines(talk) == ["     1  c2 F>B SET_OWNER"]


def test_the_peers_are_named() -> None:
    talk = Conversation()
    talk.event(
        RecordKind.CONNECTION_OPENED,
        front_end_command="qemu-system-x86",
        front_end_pid=12,
        back_end_command="virtiofsd",
        back_end_pid=34,
    )

    assert lines(talk, times=True)[1:] == [
        "     1    0.000000  --- connection 1: front-end qemu-system-x86 (pid 12), back-end virtiofsd (pid 34)"
    ]
    assert lines(talk)[1:] == ["     1  --- connection 1: front-end qemu-system-x86, back-end virtiofsd"]


def test_control_characters_never_reach_the_terminal() -> None:
    talk = Conversation()
    evil = "/memfd:\x1b[2J\x07\u202e (deleted)"
    talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(Descriptor(DescriptorKind.MEMFD, "1:1", name=evil),))
    talk.event(RecordKind.NOTE, text="\x1b]0;title\x07")
    talk.event(RecordKind.CONNECTION_OPENED, front_end_command="a\nb")

    text = "".join(lines(talk, verbose=True))

    assert text.isprintable()
    assert "\\x1b[2J" in text


def test_colour_is_only_added() -> None:
    talk = Conversation()
    talk.ask("GET_QUEUE_NUM", queues=4)

    coloured = "".join(Transcript(Style(True)).text(event) for event in talk.events())

    assert "\x1b[" in coloured


@pytest.mark.parametrize("form", FORMS, ids=form_name)
@settings(max_examples=5)
@given(data=st.data())
def test_verbose_shows_every_field_of_every_message(form: Form, data: st.DataObject) -> None:
    protocol, row, reply, layout = form
    payload = pack(layout, data.draw(values(layout)), "<")
    side = row.initiator if not reply else Side(1 - row.initiator)
    flags = (0 if row.channel is Channel.GPU else row.version) | (4 if reply else 0)
    talk = Conversation(protocol=protocol)
    talk.raw(side, struct.pack("<III", row.id, flags, len(payload)) + payload, row.channel)

    (event,) = talk.events()
    assert event.message is not None
    assert event.message.fits
    shown = "\n".join(lines(talk, verbose=True))

    for field in event.message.layout.fields:
        for name in [part.name for part in field.parts if part.meaning is not Meaning.PADDING] or [field.name]:
            assert f"{name} = " in shown
    assert "\x1b" not in shown
