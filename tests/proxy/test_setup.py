"""What is kept of a session for the next file: the same however the records arrive, and bounded."""

from itertools import groupby
from pathlib import Path

import pytest

from tests.conversation import Conversation
from vudissect.analysis import read
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import Record, RecordKind
from vudissect.proxy.setup import SetUp

CAPTURES = sorted(Path("captures").glob("*.pcapng"))
ENCODER = CaptureEncoder("test", "test", 65536, 0, keep_keys=True)
ENOUGH = 1 << 30


def in_runs(records: list[Record], most: int) -> tuple[list[list[bytes]], list[list[bytes]]]:
    """Messages in a row as the recorder passes them, at most so many; and the blocks."""
    runs: list[list[bytes]] = []
    recorded: list[list[bytes]] = []

    def flow(record: Record) -> tuple[object, ...]:
        is_plain = record.kind is RecordKind.MESSAGE and not record.descriptors
        return (is_plain or record.sequence, record.connection, record.channel, record.sender, record.marks)

    for key, group in groupby(records, flow):
        together = list(group)
        for first in range(0, len(together), most):
            part = together[first : first + most]
            runs.append([record.data for record in part] if key[0] is True else [])
            recorded.append([ENCODER.record(record) for record in part])
    return runs, recorded


@pytest.mark.parametrize("most", [1, 100])
@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_runs_and_single_records_leave_the_same(capture: Path, most: int) -> None:
    # Up to where the connection is closed: after that there is nothing to keep.
    records = [record for record in read(capture) if record.kind is not RecordKind.CONNECTION_CLOSED]
    one, other = SetUp(), SetUp()
    runs, recorded = in_runs(records, most)
    one.see_blocks([block for blocks in recorded for block in blocks])
    other.see(runs, recorded)
    assert one.repeated(0, ENOUGH) == other.repeated(0, ENOUGH)


def test_equal_messages_are_kept_once_and_the_first() -> None:
    talk = Conversation()
    talk.open()
    for _ in range(100):
        talk.front_end("SET_VRING_NUM", index=0, num=256)
    setup = SetUp()
    setup.see(*in_runs(talk.records, 100))
    blocks, _ = setup.repeated(0, ENOUGH)
    assert len(blocks) == 3


def test_what_is_kept_is_bounded() -> None:
    talk = Conversation()
    talk.open()
    for number in range(3000):
        talk.front_end(1000 + number, payload=b"")
        talk.front_end("IOTLB_MSG", iova=number << 12, size=4096, user_addr=0, perm=3, type=2)
        talk.front_end("SET_VRING_NUM", index=number, num=256, need_reply=True)
    setup = SetUp()
    setup.see(*in_runs(talk.records, 100))
    assert len(setup.repeated(0, ENOUGH)[0]) < 6000


def test_a_connection_that_does_not_fit_is_partial() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("SET_OWNER")
    setup = SetUp()
    setup.see(*in_runs(talk.records, 100))
    opened = ENCODER.record(talk.records[0])
    blocks, partial = setup.repeated(0, len(opened))
    assert (len(blocks), partial) == (1, [1])
    assert setup.repeated(0, 0) == ([], [1])
