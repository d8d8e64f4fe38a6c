"""Parts of encoded records are those of the records."""

from pathlib import Path

import pytest

from tests.conversation import Conversation, memfd
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.encoded import body, details, message_at, repeated, sequence
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record, RecordKind

ENCODER = CaptureEncoder("test", "test", 65536, 0)


def records() -> list[Record]:
    """The opening of a connection, a plain message, and one with a descriptor."""
    talk = Conversation()
    talk.open()
    talk.front_end("SET_VRING_NUM", index=0, num=256)
    region = {"guest_addr": 0, "size": 4096, "user_addr": 0, "mmap_offset": 0}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd("ram", 4096),))
    return talk.records


@pytest.mark.parametrize("record", records(), ids=lambda record: f"record {record.sequence}")
def test_the_place_of_a_record(record: Record) -> None:
    assert sequence(ENCODER.record(record)) == record.sequence


def test_the_details_of_an_event() -> None:
    opened, *_ = records()

    assert opened.kind is RecordKind.CONNECTION_OPENED
    assert details(ENCODER.record(opened)) == opened.details


def test_a_message_without_descriptors() -> None:
    _, plain, _ = records()

    assert body(ENCODER.record(plain)) == plain.data


def test_a_message_after_its_descriptors() -> None:
    *_, with_memory = records()
    block = ENCODER.record(with_memory)
    begin = message_at(block)

    assert block[begin : begin + with_memory.length] == with_memory.data


def test_a_record_that_is_repeated_is_marked_and_has_the_time_of_the_later_file(tmp_path: Path) -> None:
    _, plain, _ = records()
    path = tmp_path / "repeated.pcapng"
    path.write_bytes(ENCODER.preamble() + repeated(ENCODER.record(plain), 5_000_000_123))

    with path.open("rb") as file:
        (read,) = read_capture(file)

    assert (read.marks, read.time, read.data) == (Mark.EARLIER, 5_000_000_123, plain.data)
