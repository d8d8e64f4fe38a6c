"""The text form of a conversation: what each line means, that transcripts are conversations, and what is refused."""

import pytest

from vudissect.capture.observation import Observation
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.conversation.conversation import MILLISECOND, SECOND, ConversationError
from vudissect.conversation.text import read_conversation
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.render.rings import observation_text
from vudissect.session.event import Event, Kind
from vudissect.wire.fields import Fields, to_fields


def record_of(*lines: str) -> Record:
    """The last record of a conversation."""
    return read_conversation("\n".join(lines)).records[-1]


def event_of(*lines: str) -> Event:
    """The event of the last line."""
    return read_conversation("\n".join(lines)).events()[-1]


def fields(*lines: str) -> Fields:
    event = event_of(*lines)
    assert event.message is not None
    assert event.message.fits
    return to_fields(event.message.layout, event.message.values)


class TestMessages:
    def test_fields_are_given_by_name(self) -> None:
        assert fields("F>B SET_VRING_NUM index=3 num=256") == {"index": 3, "num": 256}

    def test_fields_are_given_as_in_a_transcript(self) -> None:
        assert fields("F>B SET_VRING_NUM ring 3 num 256") == {"index": 3, "num": 256}

    def test_features_are_given_by_name(self) -> None:
        word = fields("B>F GET_FEATURES features=VERSION_1|PROTOCOL_FEATURES|bit5")["features"]

        assert word == 1 << 32 | 1 << 30 | 1 << 5

    def test_features_of_a_device_need_the_device(self) -> None:
        assert fields("device blk", "B>F GET_FEATURES -> MQ")["features"] == 1 << 12
        assert fields("device net", "B>F GET_FEATURES -> MQ")["features"] == 1 << 22

    def test_features_can_be_given_as_a_difference_to_the_offer(self) -> None:
        offer = "B>F GET_FEATURES -> LOG_ALL INDIRECT_DESC VERSION_1"

        assert fields(offer, "F>B SET_FEATURES all but LOG_ALL")["features"] == 1 << 28 | 1 << 32

    def test_an_acknowledgement_is_ok_or_failed(self) -> None:
        assert event_of("B>F SET_MEM_TABLE -> ok").kind is Kind.ACK
        assert fields("B>F SET_OWNER -> FAILED (7)") == {"result": 7}
        assert fields("B>F SET_OWNER ack=1") == {"result": 1}

    def test_a_result_is_the_reply_of_a_message_that_always_has_one(self) -> None:
        assert event_of("B>F CHECK_DEVICE_STATE -> FAILED (1)").kind is Kind.REPLY

    def test_memory_regions_have_a_short_form(self) -> None:
        regions = fields("F>B SET_MEM_TABLE 0+1M at 0x7f0000, 0x100000+2M at 0x8f0000 file+0x1000")["regions"]

        assert [(region["size"], region["mmap_offset"]) for region in regions] == [(1 << 20, 0), (2 << 20, 0x1000)]

    def test_addresses_are_offsets_in_regions(self) -> None:
        table = "F>B SET_MEM_TABLE 0+1M at 0x7f0000 mem#1"

        assert fields(table, "F>B SET_VRING_ADDR ring 0 desc region0+0x1000")["desc"] == 0x7F1000

    def test_a_layout_is_chosen_by_its_name_in_parentheses(self) -> None:
        event = event_of("F>B ADD_MEM_REG 0+1M at 0x7f0000 (memory region description (short)) mem#1")

        assert event.message is not None
        assert event.message.size == 36

    def test_the_configuration_space_has_the_fields_of_the_device(self) -> None:
        contents = fields("B>F GET_CONFIG -> offset 0 size 60 blk: capacity 2048 blk_size 512")["contents"]

        assert contents == ((2048).to_bytes(8, "little") + bytes(12) + (512).to_bytes(4, "little")).hex().ljust(
            120, "0"
        )

    def test_a_part_of_a_configuration_space_begins_at_its_offset(self) -> None:
        line = "F>B SET_CONFIG offset 30 size 4 opt_io_size[2:4]=0500 writeback 1"

        assert fields("device blk", line)["contents"] == "05000100"
        assert (
            fields("F>B SET_CONFIG offset 88 size 10 blk?: write_granularity 512 unknown[96:98]=0709")["contents"]
            == "00020000000000000709"
        )

    def test_the_configuration_space_of_an_unknown_device_is_bytes(self) -> None:
        assert fields("F>B SET_CONFIG offset 2 size 4 unknown[2:4]=0102 unknown[4:6]=0")["contents"] == "01020000"

    def test_entries_of_an_array_are_numbered(self) -> None:
        sizes = fields("B>F GET_SHMEM_CONFIG -> nregions 1 size2 size 64M")["sizes"]

        assert [entry["size"] for entry in sizes[:4]] == [0, 0, 64 << 20, 0]

    def test_a_packed_ring_has_two_positions(self) -> None:
        num = fields("F>B SET_VRING_BASE ring 0 avail 5 wrap 1 used 3 wrap 0")["num"]

        assert num == 5 | 1 << 15 | 3 << 16

    @pytest.mark.parametrize(
        ("text", "avail"), [("avail 5 wrap 1", 5 | 1 << 15), ("avail 5 wrap 0", 5)], ids=["first lap", "second lap"]
    )
    def test_a_look_into_a_packed_ring_has_the_place_of_the_driver(self, text: str, avail: int) -> None:
        line = f"ring 0: {text}, 3 pending"
        details = record_of(f"--- {line}").details

        assert (details["avail"], details["pending"]) == (avail, 3)
        assert observation_text(Observation(0, avail=avail, pending=3)) == line

    def test_other_channels_are_named(self) -> None:
        record = record_of("B>F backend: CONFIG_CHANGE_MSG need_reply")

        assert (record.channel, record.sender, record.data[4]) == (Channel.BACKEND, Side.BACK_END, 0x9)

    def test_an_unknown_message_has_a_payload(self) -> None:
        assert record_of("F>B message 99 payload=0102").data == bytes.fromhex("630000000100000002000000" + "0102")

    def test_the_header_may_be_wrong_on_purpose(self) -> None:
        assert record_of("B>F SET_OWNER ok header_flags=0xd header_size=4").data[4:12] == bytes.fromhex(
            "0d00000004000000"
        )

    def test_any_bytes_can_be_sent(self) -> None:
        assert record_of("F>B bytes 01000000 ff").data == b"\x01\0\0\0\xff"

    def test_a_message_can_be_cut_short(self) -> None:
        record = record_of("F>B SET_OWNER cut_short=6")

        assert (len(record.data), record.marks) == (6, Mark.CUT_SHORT)

    def test_messages_are_those_of_the_dialect(self) -> None:
        record = record_of("dialect mst-2015", "F>B SET_RUNNING ring 1 num=1 header_flags=2")

        assert record.data == bytes.fromhex("10000000 02000000 08000000 01000000 01000000")

    def test_a_reply_may_be_the_request_sent_back(self) -> None:
        assert fields("dialect mst-2015", "B>F SET_VRING_NUM -> ring 1 num 256") == {"index": 1, "num": 256}

    def test_marks_are_words(self) -> None:
        assert record_of("F>B SET_OWNER split descriptors_lost").marks == Mark.SPLIT | Mark.DESCRIPTORS_LOST

    def test_the_peers_may_be_big_endian(self) -> None:
        assert record_of("byte-order big", "F>B SET_OWNER").data[:4] == b"\0\0\0\3"


class TestDescriptors:
    def test_the_same_name_is_the_same_object(self) -> None:
        records = read_conversation("F>B SET_VRING_KICK ring 0 evt#a\nF>B SET_VRING_KICK ring 1 evt#a evt#b").records

        assert records[0].descriptors == records[1].descriptors[:1]
        assert records[1].descriptors[1] not in records[0].descriptors

    def test_memory_is_described_where_it_first_appears(self) -> None:
        (memory,) = record_of(
            "F>B SET_MEM_TABLE 0+1M at 0x7f0000 +mem#1 (memfd pc.ram 2M pages 2M seals 0x6)"
        ).descriptors

        assert (memory.name, memory.size, memory.page_size, memory.seals) == (
            "/memfd:pc.ram (deleted)",
            2 << 20,
            2 << 20,
            6,
        )

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("sock#1 (dgram)", DescriptorKind.SOCKET),
            ("pipe#1", DescriptorKind.PIPE),
            ("uffd#1", DescriptorKind.USERFAULTFD),
            ("dmabuf#1", DescriptorKind.DMABUF),
            ("mem#1 (file /dev/shm/x 4K)", DescriptorKind.FILE),
            ("fd=evt#1", DescriptorKind.EVENTFD),
        ],
    )
    def test_each_kind_has_its_word(self, text: str, kind: DescriptorKind) -> None:
        assert [descriptor.kind for descriptor in record_of(f"F>B SET_BACKEND_REQ_FD {text}").descriptors] == [kind]


class TestTime:
    def test_a_message_comes_a_millisecond_after_the_previous_one(self) -> None:
        first, second = read_conversation("F>B SET_OWNER\nF>B SET_OWNER").records

        assert second.received - first.received == MILLISECOND

    def test_a_line_may_give_the_time_since_the_previous_one(self) -> None:
        first, second = read_conversation("F>B SET_OWNER\nF>B SET_OWNER +20us").records

        assert second.received - first.received == 20_000

    def test_silence_comes_before_the_next_line(self) -> None:
        first, second = read_conversation("F>B SET_OWNER\n... 2s\nF>B SET_OWNER").records

        assert second.received - first.received == 2 * SECOND + MILLISECOND

    def test_the_seconds_of_a_transcript_count_from_its_start(self) -> None:
        text = " 1    0.000000  F>B SET_OWNER\n 2    1.500000  F>B SET_OWNER"

        first, second = read_conversation(text).records

        assert second.received - first.received == 1_500_000_000


class TestEvents:
    @pytest.mark.parametrize(
        ("line", "kind", "details"),
        [
            (
                "--- connection front-end=qemu back-end=disk",
                RecordKind.CONNECTION_OPENED,
                {"front_end_command": "qemu", "back_end_command": "disk"},
            ),
            ("--- closed by back-end", RecordKind.CONNECTION_CLOSED, {"by": "back-end", "how": "eof"}),
            (
                "--- closed by the back-end (killed by signal 9), 24 bytes undelivered",
                RecordKind.CONNECTION_CLOSED,
                {"by": "back-end", "how": "killed by signal 9", "undelivered": 24},
            ),
            ("--- connection 1 closed by the ?", RecordKind.CONNECTION_CLOSED, {"how": "eof"}),
            ("--- main channel closed by the proxy", RecordKind.CHANNEL_CLOSED, {"by": "proxy", "how": "eof"}),
            ("--- ? messages are missing here: ?", RecordKind.GAP, {"reason": "?"}),
            ("--- closed by front-end (reset)", RecordKind.CONNECTION_CLOSED, {"by": "front-end", "how": "reset"}),
            ("--- backend channel opened", RecordKind.CHANNEL_OPENED, {}),
            ("--- gpu channel closed by back-end", RecordKind.CHANNEL_CLOSED, {"by": "back-end", "how": "eof"}),
            ("--- 5 messages are missing here: full", RecordKind.GAP, {"messages": 5, "reason": "full"}),
            ("--- note: guest boots", RecordKind.NOTE, {"text": "guest boots"}),
        ],
    )
    def test_each_kind_of_event_has_a_line(self, line: str, kind: RecordKind, details: dict[str, object]) -> None:
        record = record_of(line)

        assert (record.kind, record.details) == (kind, details)

    def test_several_connections_are_numbered(self) -> None:
        assert record_of("c2 F>B SET_OWNER").connection == 2
        assert record_of("--- connection 3: front-end a, back-end b").connection == 3


class TestTranscripts:
    """What only transcripts have."""

    def test_a_line_has_the_latency_of_its_answer(self) -> None:
        talk = read_conversation(
            "     7    0.000000  F>B GET_QUEUE_NUM\n     9    2.000000  B>F GET_QUEUE_NUM -> queues 1 [#7 +1.5s]"
        )

        assert talk.events()[1].latency == 1_500_000_000

    def test_an_answer_can_come_before_its_request_was_forwarded(self) -> None:
        talk = read_conversation("F>B GET_QUEUE_NUM\nB>F GET_QUEUE_NUM -> queues 1 [#1 +-20us]")

        assert talk.events()[1].latency == -20_000

    def test_a_list_can_be_that_of_another_frame(self) -> None:
        first, second = (
            "    12  B>F GET_FEATURES -> VERSION_1 LOG_ALL [#11]",
            "    14  B>F GET_FEATURES -> as in #12 [#13]",
        )

        assert fields(first, second)["features"] == 1 << 32 | 1 << 26

    def test_a_frame_that_was_not_before_is_refused(self) -> None:
        with pytest.raises(ConversationError, match="line 1: there is no #3 before this line"):
            read_conversation("B>F GET_FEATURES -> as in #3")

    def test_a_dialect_holds_from_its_line_on(self) -> None:
        record = record_of("F>B SET_OWNER", "dialect spdk-nvme-v2 (score 8; upstream 2)", "F>B NVME_ADMIN payload=")

        assert int.from_bytes(record.data[:4], "little") == 80

    def test_each_connection_can_have_a_device_and_a_dialect_of_its_own(self) -> None:
        lines = (
            "device blk",
            "c2 device net (guessed)",
            "B>F GET_FEATURES -> MQ",
            "c2 B>F GET_FEATURES -> MQ",
        )

        words = [record.data[12:] for record in read_conversation("\n".join(lines)).records]
        assert words == [(1 << bit).to_bytes(8, "little") for bit in (12, 22)]

    def test_a_part_that_was_recorded_of_a_message(self) -> None:
        record = record_of("F>B SET_MEM_TABLE region0 0+1M at 0x7f0000 CUT, 60 of 148 bytes were recorded mem#1")

        assert (len(record.data), record.length) == (60, 148)
        assert record.data[8:16] == bytes((136, 0, 0, 0, 4, 0, 0, 0))

    def test_a_malformed_message_has_its_bytes_marks_and_descriptors(self) -> None:
        record = record_of(
            "F>B SET_OWNER MALFORMED, cut short: 20 of 40 payload bytes: 03 00 00 00 ... (32 bytes) mem#1 CUT SHORT"
        )

        assert record.data == b"\3" + bytes(31)
        assert (len(record.descriptors), record.marks) == (1, Mark.CUT_SHORT)

    @pytest.mark.parametrize(
        ("words", "marks"),
        [
            ("NOT FORWARDED", Mark.NOT_FORWARDED),
            ("DESCRIPTORS LOST, CUT SHORT", Mark.DESCRIPTORS_LOST | Mark.CUT_SHORT),
            ("descriptors not on the first byte, in pieces", Mark.LATE_DESCRIPTORS | Mark.SPLIT),
        ],
    )
    def test_marks_in_words(self, words: str, marks: Mark) -> None:
        assert record_of(f"F>B SET_MEM_TABLE no regions {words}").marks == marks

    def test_flags_that_are_not_as_they_should_be(self) -> None:
        assert record_of("F>B SET_OWNER header_flags 0x101").data[4:8] == bytes((1, 1, 0, 0))

    def test_an_answer_without_payload(self) -> None:
        assert len(record_of("B>F SET_LOG_BASE -> empty [#38 +4us]").data) == 12

    def test_what_comes_after_the_bytes_of_a_malformed_message_does_not_change_them(self) -> None:
        line = "F>B message 77 MALFORMED, unknown message: 4d 00 00 00 09 00*7 need_reply header_flags 0x9"

        assert record_of(line).data == bytes((0x4D, 0, 0, 0, 9, *bytes(7)))

    def test_a_flag_that_has_no_name(self) -> None:
        assert fields("B>F backend: SHMEM_MAP flags bit 32 mem#1")["flags"] == 1 << 32

    def test_times_that_run_backwards_do_not(self) -> None:
        talk = read_conversation("     1    0.000000  F>B SET_OWNER\n     2   -0.004000  F>B SET_OWNER")

        assert talk.records[1].received == talk.records[0].received

    def test_memory_whose_seals_are_not_known(self) -> None:
        assert record_of("F>B SET_MEM_TABLE no regions mem#1 (memfd a 1M seals -1)").descriptors[0].seals == -1

    def test_a_request_that_was_sent_back(self) -> None:
        assert record_of("dialect mst-2015", "B>F SET_OWNER -> empty SENT BACK").data[:4] == bytes((3, 0, 0, 0x80))

    def test_unknown_configuration_is_kept(self) -> None:
        contents = fields("B>F GET_CONFIG -> offset 0 size 98 blk: capacity 1 unknown[96:98]=0506")["contents"]

        assert contents == "01" + "00" * 95 + "0506"

    def test_bytes_that_are_repeated(self) -> None:
        contents = fields("B>F GET_CONFIG -> offset 0 size 9 contents 05 06*7 01")["contents"]

        assert contents == "050606060606060601"

    def test_a_name_of_several_words(self) -> None:
        assert (
            fields("dialect rust-cfgflags", "F>B SET_CONFIG offset 0 size 0 live migration no contents")["flags"] == 2
        )

    @pytest.mark.parametrize(
        "line", ["! error VU-NEG-01 front-end: no", "~ compat VU-HDR-13 unknown: no", "i info VU-TIM-01 both: no"]
    )
    def test_findings_are_remarks(self, line: str) -> None:
        assert read_conversation(line).records == []

    def test_a_channel_is_opened_on_one_of_several_sockets(self) -> None:
        lines = ("F>B SET_BACKEND_REQ_FD sock#1", "F>B SET_BACKEND_REQ_FD sock#2")

        assert record_of(*lines, "--- backend channel opened on sock#1").details == {"by_sequence": 1}

    def test_a_socket_that_no_message_passed_is_refused(self) -> None:
        with pytest.raises(ConversationError, match="line 1: no message on this connection has passed sock#1"):
            read_conversation("--- backend channel opened on sock#1")


class TestRefusals:
    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("Front-end says hello", "no line begins with 'Front-end'"),
            ("F>B SET_MEMORY", "no message SET_MEMORY"),
            ("F>B backend: SET_OWNER", "backend channel has no message"),
            ("F>B SET_OWNER now", "'now' is not understood"),
            ("F>B SET_VRING_NUM size=3", "no field 'size'; fields: index, num"),
            ("F>B SET_VRING_NUM num=many", "'many' is not a number"),
            ("F>B SET_VRING_ENABLE ring 0 num=maybe", "num must be one of disable, enable"),
            ("F>B SET_VRING_NUM ring 0 num", "'' is not a number"),
            ("F>B SET_VRING_NUM num=0x100000000", "SET_VRING_NUM.num: 4294967296 does not fit into u32"),
            ("F>B SET_VRING_NUM num=" + "9" * 5000, "is not a number"),
            ("F>B SET_VRING_NUM num=0x" + "f" * 5000, "is not a number"),
            ("F>B SET_VRING_NUM num=99999999999T", "SET_VRING_NUM.num: 109951162776500488372224 does not fit into u32"),
            ("F>B SET_VRING_KICK ring 256", "SET_VRING_KICK.index: 256 does not fit into 8 bits"),
            ("F>B SET_VRING_KICK ring -1", "SET_VRING_KICK.index: -1 does not fit into 8 bits"),
            (
                "B>F SET_OWNER -> FAILED (99999999999999999999)",
                "SET_OWNER.result: 99999999999999999999 does not",
            ),
            ("B>F GET_VRING_BASE -> avail 32768 wrap 0 used 0 wrap 0", "'32768' does not fit in 15 bits"),
            (
                "F>B SET_CONFIG blk: capacity 99999999999999999999",
                "blk.capacity: 99999999999999999999 does not fit into u64",
            ),
            ("F>B SET_CONFIG size 8 blk: capacity[0:4]=01", "capacity[0:4]=01: 1 bytes are given for 4"),
            ("F>B SET_CONFIG size 8 blk: capacity[0:1]=xy", "no field 'capacity[0:1]'"),
            ("F>B SET_CONFIG size 8 blk: colour[0:1]=01", "no field 'colour' in the configuration space"),
            ("F>B SET_CONFIG blk: unknown[0:99999999999999]=0", "a payload of 99999999999999 bytes is not possible"),
            ("F>B SEND_RARP mac=00:11:22:33:44:55:66", "SEND_RARP.mac: there is room for 6 bytes, not 7"),
            ("F>B message 4294967296 payload=", "'4294967296' does not fit in 32 bits"),
            ("F>B message " + "9" * 5000 + " payload=", "does not fit in"),
            ("c4294967296 F>B SET_OWNER", "'4294967296' does not fit in 32 bits"),
            ("--- connection 4294967296: front-end a, back-end b", "'4294967296' does not fit in 32 bits"),
            ("--- connection 1: front-end a (pid " + "9" * 5000 + "), back-end b", "does not fit in"),
            ("--- " + "9" * 5000 + " messages are missing here: x", "does not fit in"),
            ("B>F GET_SHMEM_CONFIG -> size" + "9" * 5000 + " size 1", "does not fit in"),
            ("F>B SET_VRING_ADDR ring 0 desc region" + "9" * 5000 + "+0", "regions are known"),
            ("F>B SET_OWNER cut_short=13", "a message of 12 bytes cannot be cut short to 13"),
            ("F>B SET_OWNER cut_short=-1", "a message of 12 bytes cannot be cut short to -1"),
            ("F>B ADD_MEM_REG 0+1M at 0 mem#1 (memfd ram 16777216T)", "16777216T does not fit in 64 bits"),
            ("F>B ADD_MEM_REG 0+1M at 0 mem#1 (memfd ram 1M seals 0x80000000)", "0x80000000 does not fit in 32 bits"),
            ("B>F GET_FEATURES -> TURBO", "unknown bit 'TURBO'"),
            ("B>F GET_FEATURES -> CTRL_VQ", "write `device net` first"),
            ("F>B SET_FEATURES all but LOG_ALL", "no features have been offered"),
            ("F>B SET_VRING_ADDR ring 0 desc region0+0x1000", "0 regions are known"),
            ("B>F SET_OWNER", "has no reply of its own"),
            ("F>B message 99", "give its payload"),
            ("F>B message 99 payload=xyz", "'xyz' is not hexadecimal"),
            ("F>B bytes hello", "'hello' is not hexadecimal"),
            ("F>B SET_VRING_KICK ring 0 cat#1", "unknown kind of descriptor cat#"),
            ("F>B ADD_MEM_REG 0+1M at 0x7f0000 mem#1 (memfd pc.ram large)", "describe memory as (memfd NAME SIZE)"),
            ("... long", "'long' is not a duration"),
            ("--- the end", "'the end' is not understood"),
            ("device toaster", "unknown device type 'toaster'"),
            ("dialect klingon", "unknown dialect 'klingon'; use upstream"),
            ("byte-order middle", "little or big, not 'middle'"),
        ],
    )
    def test_an_error_names_the_line_and_what_is_wrong(self, line: str, words: str) -> None:
        start = "# a comment\n"
        with pytest.raises(ConversationError) as error:
            read_conversation(start + line)

        assert str(error.value).startswith("line 2: ")
        assert words in str(error.value)

    def test_an_error_is_short(self) -> None:
        with pytest.raises(ConversationError) as error:
            read_conversation("F>B " + "x" * 100_000)

        assert len(str(error.value)) < 400

    def test_a_conversation_has_a_maximum_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.conversation.conversation._MAX_BYTES", 10_000)
        with pytest.raises(ConversationError, match="line 10: a conversation can have at most"):
            read_conversation(["B>F gpu: UPDATE pixels 1K"] * 100)

    def test_a_descriptor_is_described_once(self) -> None:
        line = "F>B ADD_MEM_REG 0+1M at 0x7f0000 mem#1 (memfd a 1M)"
        assert len(read_conversation(f"{line}\n{line}").records) == 2
        with pytest.raises(ConversationError, match="mem#1 has already been described"):
            read_conversation(f"{line}\n{line.replace('memfd a', 'memfd b')}")
