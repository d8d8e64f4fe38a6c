"""VU-CFG: the configuration space."""

from typing import Any

import pytest

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.dialects import dialect_by_name
from vudissect.protocol.model import Channel, Device
from vudissect.protocol.payloads import CONFIG_ERROR
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import from_fields

MULTIQUEUE = BLK.features.mask("MQ")
WRITEBACK = 32


def device(name: str) -> Device:
    found_device = device_by_name(name)
    assert found_device is not None
    return found_device


def disk(**fields: int) -> bytes:
    """The configuration of a disk of one sector, unless said otherwise."""
    values = from_fields(BLK.config, {"capacity": 1, "blk_size": 512, "num_queues": 1} | fields)
    return layout_codec(BLK.config, "little").encode(values)


def read(talk: Conversation, contents: bytes) -> None:
    talk.front_end("GET_CONFIG", contents=bytes(len(contents)))
    talk.back_end("GET_CONFIG", contents=contents)


class TestGate:
    """VU-CFG-01."""

    def test_the_configuration_is_read_without_the_feature(self) -> None:
        talk = opened("MQ")
        read(talk, bytes(8))
        read(talk, bytes(8))

        finding = only(talk, "VU-CFG-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert finding.frames == (6,)
        assert "GET_CONFIG is sent, but CONFIG is not negotiated" in finding.message

    def test_with_the_feature(self) -> None:
        talk = opened("CONFIG")
        read(talk, bytes(8))

        assert found(talk, "VU-CFG-01") == []

    def test_nothing_is_said_where_the_negotiation_was_missed(self) -> None:
        talk = Conversation()
        read(talk, bytes(8))

        assert found(talk, "VU-CFG-01") == []


class TestAnswer:
    """VU-CFG-02."""

    def test_the_answer_is_for_another_part(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", offset=4, contents=bytes(8))
        talk.back_end("GET_CONFIG", offset=0, contents=bytes(6))

        finding = only(talk, "VU-CFG-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 9)
        assert finding.frames == (8,)
        assert "asked for 8 bytes at offset 4 (flags 0), the back-end returns 6 bytes at offset 0" in finding.message

    @pytest.mark.parametrize("answer", [{"layout": CONFIG_ERROR}, {"contents": b""}], ids=["empty", "size 0"])
    def test_the_back_end_cannot_read_it(self, answer: dict[str, Any]) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", contents=bytes(60))
        talk.back_end("GET_CONFIG", **answer)

        assert "could not read the requested 60 bytes at offset 0" in only(talk, "VU-CFG-02").message

    def test_answers_in_the_order_of_their_requests(self) -> None:
        talk = opened("CONFIG")
        for size in (8, 60):
            talk.front_end("GET_CONFIG", contents=bytes(size))
        for size in (8, 60):
            talk.back_end("GET_CONFIG", contents=bytes(size))

        assert found(talk, "VU-CFG-02") == []

    def test_an_answer_whose_request_was_missed(self) -> None:
        talk = Conversation()
        talk.back_end("GET_CONFIG", layout=CONFIG_ERROR)

        assert found(talk, "VU-CFG-02") == []


class TestRange:
    """VU-CFG-03."""

    def test_offsets_as_rust_vmm_once_counted_them(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", offset=0x100, contents=bytes(60))

        finding = only(talk, "VU-CFG-03")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 8)
        assert "offset 256, size 60" in finding.message
        assert "rust-vmm" in finding.message

    def test_beyond_the_end_of_the_device(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("SET_CONFIG", offset=92, contents=bytes(8))

        assert "the configuration space of blk ends at 96" in only(talk, "VU-CFG-03", device=BLK).message

    @pytest.mark.parametrize(("offset", "size"), [(0, 256), (88, 8)], ids=["all there can be", "the last field"])
    def test_what_just_fits(self, offset: int, size: int) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", offset=offset, contents=bytes(size))

        assert found(talk, "VU-CFG-03", device=BLK) == []


class TestReadOnly:
    """VU-CFG-04."""

    def write(self, talk: Conversation, offset: int, contents: bytes, flags: int = 0) -> Conversation:
        talk.front_end("SET_CONFIG", offset=offset, flags=flags, contents=contents)
        return talk

    def test_a_field_that_a_driver_may_not_write(self) -> None:
        talk = self.write(opened("CONFIG"), 0, bytes(12))

        finding = only(talk, "VU-CFG-04", device=BLK)

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert "(offset 0, size 12) writes capacity, size_max of the blk configuration" in finding.message

    def test_the_one_that_it_may(self) -> None:
        talk = self.write(opened("CONFIG"), WRITEBACK, b"\1")

        assert found(talk, "VU-CFG-04", device=BLK) == []

    def test_migration_may_write_any(self) -> None:
        talk = self.write(opened("CONFIG"), 0, bytes(12), flags=1)

        assert found(talk, "VU-CFG-04", device=BLK) == []

    @pytest.mark.parametrize(("flags", "rules"), [(1, ["VU-CFG-04"]), (2, [])], ids=["driver", "migration"])
    def test_rust_vmm_counts_flags_from_1(self, flags: int, rules: list[str]) -> None:
        dialect = dialect_by_name("rust-cfgflags")
        assert dialect is not None
        talk = self.write(Conversation(protocol=dialect.protocol), 0, bytes(12), flags)

        assert [finding.rule for finding in found(talk, "VU-CFG-04", device=BLK)] == rules

    def test_the_whole_is_written_to_change_what_may_be(self) -> None:
        talk = opened("CONFIG")
        read(talk, disk(writeback=0))
        self.write(talk, 0, disk(writeback=1))

        assert found(talk, "VU-CFG-04", device=BLK) == []

    def test_the_whole_is_written_and_changes_more(self) -> None:
        talk = opened("CONFIG")
        read(talk, disk(writeback=0))
        self.write(talk, 0, disk(writeback=1, blk_size=4096))

        assert "writes blk_size of the blk" in only(talk, "VU-CFG-04", device=BLK).message

    def test_input_devices_are_asked_by_writing(self) -> None:
        talk = self.write(opened("CONFIG"), 0, bytes([1, 0]) + bytes(134))

        assert found(talk, "VU-CFG-04", device=device("input")) == []


class TestFlags:
    """VU-CFG-05."""

    def test_flags_that_are_not_defined(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("SET_CONFIG", offset=WRITEBACK, flags=2, contents=b"\1")

        finding = only(talk, "VU-CFG-05")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 8)
        assert "SET_CONFIG has flags 2" in finding.message

    def test_the_largest_that_are(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("SET_CONFIG", offset=WRITEBACK, flags=1, contents=b"\1")

        assert found(talk, "VU-CFG-05") == []


class TestGateOfChanges:
    """VU-CFG-06."""

    def test_a_change_is_told_without_the_features(self) -> None:
        talk = opened("MQ")
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND)

        finding = only(talk, "VU-CFG-06")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (8, (6,))
        assert "BACKEND_REQ and CONFIG are not negotiated" in finding.message

    def test_with_them(self) -> None:
        talk = opened("BACKEND_REQ", "CONFIG")
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND)

        assert found(talk, "VU-CFG-06") == []


class TestNothing:
    """VU-CFG-07."""

    def test_no_bytes_are_asked_for(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", offset=4)

        finding = only(talk, "VU-CFG-07")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert "0 bytes (offset 4)" in finding.message

    def test_one_is(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", contents=bytes(1))

        assert found(talk, "VU-CFG-07") == []


class TestAsSpdkAsks:
    """VU-CFG-08."""

    def test_the_back_end_refuses(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", contents=bytes(256))
        talk.back_end("GET_CONFIG", contents=bytes(60))

        finding = only(talk, "VU-CFG-08")

        assert (finding.severity, finding.blame) == (Severity.COMPAT, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "60 of the 256 requested bytes" in finding.message

    def test_the_back_end_fills_up(self) -> None:
        talk = opened("CONFIG")
        read(talk, bytes(256))

        assert found(talk, "VU-CFG-08") == []

    def test_others_ask_for_what_there_is(self) -> None:
        talk = opened("CONFIG")
        talk.front_end("GET_CONFIG", contents=bytes(255))
        talk.back_end("GET_CONFIG", contents=bytes(60))

        assert found(talk, "VU-CFG-08") == []


class TestDisk:
    """VU-CFG-09."""

    def offering(self, features: int) -> Conversation:
        talk = Conversation()
        talk.ask("GET_FEATURES", features=features)
        return talk

    def test_no_capacity(self) -> None:
        talk = self.offering(0)
        read(talk, disk(capacity=0, blk_size=0))

        finding = only(talk, "VU-CFG-09", device=BLK)

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.BACK_END, 4)
        assert "capacity 0 (blk_size 0)" in finding.message

    def test_a_disk_of_one_sector(self) -> None:
        talk = self.offering(MULTIQUEUE)
        read(talk, disk())

        assert found(talk, "VU-CFG-09", device=BLK) == []

    def test_other_devices_have_something_else_there(self) -> None:
        talk = self.offering(0)
        read(talk, disk(capacity=0))

        assert found(talk, "VU-CFG-09", device=device("net")) == []

    def test_no_queues(self) -> None:
        talk = self.offering(MULTIQUEUE)
        read(talk, disk(num_queues=0))

        assert "num_queues 0" in only(talk, "VU-CFG-09", device=BLK).message

    def test_the_number_of_queues_means_nothing_without_its_feature(self) -> None:
        talk = self.offering(0)
        read(talk, disk(num_queues=0))

        assert found(talk, "VU-CFG-09", device=BLK) == []

    @pytest.mark.parametrize(
        ("queues", "blame"), [(1, Blame.FRONT_END), (4, Blame.BACK_END)], ids=["the back-end has one", "it has four"]
    )
    def test_more_rings_than_the_configuration_says(self, queues: int, blame: Blame) -> None:
        talk = self.offering(MULTIQUEUE)
        talk.ask("GET_QUEUE_NUM", queues=queues)
        read(talk, disk())
        for index in (0, 1):
            talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(index),))

        finding = only(talk, "VU-CFG-09", device=BLK)

        assert (finding.blame, finding.frame) == (blame, 8)
        assert "ring 1 is started, but the configuration has num_queues 1" in finding.message


class TestChangesAreHeard:
    """VU-CFG-10."""

    def changed(self) -> Conversation:
        talk = opened("BACKEND_REQ", "CONFIG", "REPLY_ACK")
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True)
        return talk

    def test_the_front_end_does_not_look(self) -> None:
        talk = self.changed()
        talk.front_end("CONFIG_CHANGE_MSG", Channel.BACKEND, ack=0)
        talk.silence(2 * SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-CFG-10")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.FRONT_END, 8)
        assert "never read it again, although it acknowledged the change in #9" in finding.message

    def test_the_capture_ends_with_the_change(self) -> None:
        assert found(self.changed(), "VU-CFG-10") == []

    def test_the_front_end_looks_late(self) -> None:
        talk = self.changed()
        talk.silence(2 * SECOND)
        read(talk, bytes(8))

        finding = only(talk, "VU-CFG-10")

        assert (finding.frame, finding.frames) == (8, (9,))
        assert "only 2.0 s later (#9)" in finding.message

    def test_the_front_end_looks_at_once(self) -> None:
        talk = self.changed()
        talk.silence(900 * MILLISECOND)
        read(talk, bytes(8))
        talk.silence(2 * SECOND)
        talk.close("front-end")

        assert found(talk, "VU-CFG-10") == []
