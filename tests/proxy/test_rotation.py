"""A rotated capture: limits that hold exactly, and files that explain themselves."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest

from tests.conversation import Conversation
from tests.proxy.test_sink import file_size_limit
from vudissect.analysis import Analysis, findings, read
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.protocol.model import Channel
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.rotation import FileNames, Records, RotatingSink, Rotation
from vudissect.session.state import State
from vudissect.summary.collect import Collector
from vudissect.summary.values import Missing

CAPTURES = sorted(Path("captures").rglob("*.pcapng"))
ENCODER = CaptureEncoder("test", "test", 65536, 0, keep_keys=True)
SIZE = 16_000
A_FEW = 11


def event(kind: RecordKind, connection: int, details: Mapping[str, str | int]) -> bytes:
    return ENCODER.event(kind, connection, Channel.MAIN, 0, 0, details)


def gap(messages: int, reason: str) -> bytes:
    return event(RecordKind.GAP, 0, {"messages": messages, "reason": reason})


RECORDS = Records(
    ENCODER.preamble,
    lambda details: event(RecordKind.CONTINUED, 0, details),
    lambda connection: event(RecordKind.GAP, connection, {"reason": "no room"}),
)


class Rotated:
    """A rotated capture in a folder, and its warnings."""

    def __init__(self, folder: Path, rotation: Rotation) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        names = FileNames(str(folder / "boot.pcapng"))
        self.sink = RotatingSink(rotation, names, RECORDS, gap, self.warnings.append)

    def write(self, *records: Record) -> None:
        """Write records together."""
        blocks = [ENCODER.record(record) for record in records]
        self.sink.write(blocks)
        self.sink.note([[] for _ in blocks], [[block] for block in blocks])

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())


def rotated(folder: Path, records: list[Record]) -> list[Path]:
    """The files of a capture, each with a few of the records."""
    capture = Rotated(folder, Rotation())
    for first in range(0, len(records), A_FEW):
        if first:
            capture.sink.end_file()
        for record in records[first : first + A_FEW]:
            capture.write(record)
    capture.sink.close()
    return capture.files


def calls(count: int) -> list[Record]:
    """A negotiation, and then as many questions with their answers."""
    talk = negotiated()
    for _ in range(count):
        talk.ask("GET_QUEUE_NUM", queues=2)
    return talk.records


def negotiated() -> Conversation:
    """The beginning of a session."""
    talk = Conversation()
    talk.open("qemu", "vhost")
    talk.ask("GET_FEATURES", features=1 << 30 | 1 << 32)
    talk.ask("GET_PROTOCOL_FEATURES", features=0b1001)
    talk.front_end("SET_PROTOCOL_FEATURES", features=0b1001)
    talk.front_end("SET_OWNER")
    return talk


def known(state: State) -> dict[str, object]:
    """What is known of a connection, without the frames in which it came."""
    return {
        "features": (state.features.offered, state.features.acked),
        "protocol features": (state.protocol_features.offered, state.protocol_features.acked),
        "numbers": (state.queues, state.memory_slots, state.status, state.config, state.shared_memory),
        "phases": (state.phase, state.postcopy, state.transferring_state, state.from_start, state.whole),
        "device": (state.guess.device, state.programs, state.protocol.key),
        "memory": [region[1:5] for region in state.memory.regions],
        "rings": {
            index: (
                (ring.started, ring.enabled, ring.size, ring.base, ring.stopped_at),
                ring.addresses[1:] if ring.addresses is not None else None,
                {purpose: (bool(slot.name), slot.nofd) for purpose, slot in ring.slots.items() if slot.frame},
            )
            for index, ring in state.rings.items()
        },
        "files": [file is not None and file[:2] for file in (state.log, state.inflight)],
        "objects": set(state.objects.added),
    }


def states(records: Iterator[Record]) -> Iterator[tuple[Record, dict[int, dict[str, object]]]]:
    """What is known after each record that is not repeated."""
    analysis = Analysis(records, rules=())
    for event, _ in analysis:
        if not event.record.is_earlier and event.record.kind is not RecordKind.CONTINUED:
            yield event.record, {number: known(state) for number, state in analysis.session.states.items() if number}


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_each_file_knows_what_the_whole_capture_knows(capture: Path, tmp_path: Path) -> None:
    records = list(read(capture))
    of_whole = iter(list(states(iter(records))))
    for path in rotated(tmp_path, records):
        for record, in_file in states(read(path)):
            original, in_whole = next(of_whole)
            assert (record.connection, record.sequence) == (original.connection, original.sequence)
            assert in_file == in_whole, f"{path.name}, frame {record.frame}"
    assert next(of_whole, None) is None


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_no_file_breaks_a_rule_that_the_whole_capture_does_not_break(capture: Path, tmp_path: Path) -> None:
    in_whole = {(finding.rule, finding.connection) for finding in findings(capture).findings}
    for path in rotated(tmp_path, list(read(capture))):
        found = {(finding.rule, finding.connection): finding.message for finding in findings(path).findings}
        assert not {key: found[key] for key in found.keys() - in_whole}, path.name


def test_a_hundred_files_of_a_long_session_miss_nothing_that_the_whole_capture_has(tmp_path: Path) -> None:
    talk = negotiated()
    for page in range(8000):
        talk.ask("GET_QUEUE_NUM", queues=2)
        talk.front_end("SET_VRING_NUM", index=page % 4, num=256)
    whole = tmp_path / "whole.pcapng"
    whole.write_bytes(talk.capture())
    folder = tmp_path / "files"
    folder.mkdir()
    capture = Rotated(folder, Rotation(SIZE))
    for first in range(0, len(talk.records), A_FEW):
        capture.write(*talk.records[first : first + A_FEW])
    capture.sink.close()

    of_whole = {finding.rule for finding in findings(whole).findings}
    for path in Random(1).sample(capture.files, 100):
        collector, analysis = Collector(), Analysis(read(path))
        found = {finding.rule for _, those in collector.watch(analysis) for finding in those}
        rest = analysis.finish()
        summary = collector.finish(analysis.session, rest, path.name)
        assert (summary.missing, {*found, *(finding.rule for finding in rest)} - of_whole) == (Missing(), set())


def test_limits_hold_at_any_time(tmp_path: Path) -> None:
    capture = Rotated(tmp_path, Rotation(SIZE, files=3))
    for record in calls(300):
        capture.write(record)
        assert len(capture.files) <= 3
        assert all(path.stat().st_size <= SIZE for path in capture.files)
    assert [path.name[:11] for path in capture.files] != ["boot_00001_", "boot_00002_", "boot_00003_"]


def test_more_records_than_a_file_holds_are_written_together(tmp_path: Path) -> None:
    records = calls(300)
    capture = Rotated(tmp_path, Rotation(SIZE))
    capture.write(*records)
    new = [record for path in capture.files for record in read(path) if not record.is_earlier]
    assert [record.sequence for record in new if record.sequence] == [record.sequence for record in records]
    assert max(path.stat().st_size for path in capture.files) <= SIZE


def test_a_file_names_its_neighbours(tmp_path: Path) -> None:
    first, second, *_ = rotated(tmp_path, calls(100))
    *_, end = read(first)
    beginning = next(record for record in read(second) if record.kind is RecordKind.CONTINUED)
    repeated = sum(record.is_earlier for record in read(second))
    assert end.details == {"next": second.name}
    assert beginning.details == {"previous": first.name, "repeated": repeated}


def test_what_is_repeated_comes_first_with_the_time_of_the_file_and_its_own_time_of_receipt(tmp_path: Path) -> None:
    records = calls(100)
    second = list(read(rotated(tmp_path, records)[1]))
    earlier = [record for record in second if record.is_earlier]
    assert second[: len(earlier)] == earlier
    received = {record.sequence: record.received for record in records}
    assert [record.received for record in earlier] == [received[record.sequence] for record in earlier]
    assert len({record.time for record in earlier}) == 1


def test_files_that_are_joined_are_the_whole_capture(tmp_path: Path) -> None:
    records = calls(100)
    paths = rotated(tmp_path, records)
    joined = tmp_path / "joined.pcapng"
    joined.write_bytes(b"".join(path.read_bytes() for path in paths))
    new = [record for record in read(joined) if record.sequence and not record.marks & Mark.EARLIER]
    assert [record.sequence for record in new] == [record.sequence for record in records]
    assert not [finding for finding in findings(joined).findings if finding.severity.name == "ERROR"]


def test_a_request_is_answered_in_the_next_file(tmp_path: Path) -> None:
    talk = negotiated()
    for _ in range(3):
        talk.front_end("GET_QUEUE_NUM")
    before = len(talk.records)
    for _ in range(3):
        talk.back_end("GET_QUEUE_NUM", queues=2)
    capture = Rotated(tmp_path, Rotation(1 << 20, seconds=1000))
    capture.write(*talk.records[:before])
    capture.sink.end_file()
    capture.write(*talk.records[before:])
    _, second = capture.files
    new = [event for event, _ in Analysis(read(second)) if event.message and not event.record.is_earlier]
    assert [event.request is not None for event in new] == [True, True, True]


def test_a_file_ends_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("vudissect.proxy.rotation.time.monotonic", lambda: now[0])
    capture = Rotated(tmp_path, Rotation(seconds=60))
    records = calls(1)
    capture.write(*records[:-1])
    now[0] += 59
    assert len(capture.files) == 1
    now[0] += 2
    capture.write(records[-1])
    assert len(capture.files) == 2


def test_files_of_an_earlier_run_count(tmp_path: Path) -> None:
    for _ in range(4):
        capture = Rotated(tmp_path, Rotation(SIZE, files=3))
        capture.write(*calls(1))
        capture.sink.close()
    assert [path.name[:11] for path in capture.files] == ["boot_00002_", "boot_00003_", "boot_00004_"]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    others = ["boot.pcapng", "boot_1_20260101000000.pcapng", "boots_00001_20260101000000.pcapng", "boot_00001_x.pcapng"]
    for name in others:
        (tmp_path / name).touch()
    capture = Rotated(tmp_path, Rotation(SIZE, files=2))
    for record in calls(200):
        capture.write(record)
    assert {path.name for path in capture.files} >= set(others)


def test_a_full_disk_costs_messages_and_is_reported_once(tmp_path: Path) -> None:
    records = calls(100)
    capture = Rotated(tmp_path, Rotation(1 << 20))
    capture.write(*records[:100])
    size = capture.files[0].stat().st_size
    with file_size_limit(size + 10):
        capture.write(*records[100:110])
    capture.write(*records[110:120])
    assert capture.sink.lost == 10
    assert len(capture.warnings) == 1
    gaps = [record for record in read(capture.files[0]) if record.kind is RecordKind.GAP]
    assert [record.details["messages"] for record in gaps] == [10]


def test_a_folder_that_is_gone_costs_messages_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    capture = Rotated(folder, Rotation(1 << 20))
    records = calls(10)
    capture.write(*records[:5])
    os.rename(folder, tmp_path / "elsewhere")
    capture.sink.end_file()
    capture.write(*records[5:8])
    folder.mkdir()
    capture.sink.end_file()
    capture.write(*records[8:])
    (only,) = capture.files
    assert capture.sink.lost == 3
    assert [record.details["messages"] for record in read(only) if record.kind is RecordKind.GAP] == [3]


def test_a_fault_in_keeping_the_set_up_costs_neither_messages_nor_traffic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("vudissect.proxy.rotation.SetUp.see", fail)
    capture = Rotated(tmp_path, Rotation(1 << 20))
    recorder = Recorder(ENCODER, 65536, capture.warnings.append)
    recorder.add_rotating_sink(capture.sink)
    for _ in range(3):
        recorder.event(RecordKind.NOTE, 0, Channel.MAIN, 0, {"text": "hello"})
        recorder.drain()
    recorder.close()
    assert len(list(read(capture.files[0]))) == 3
    assert capture.warnings == ["the next files of the capture will not explain themselves: ValueError('a bug')"]


def test_a_message_that_no_file_can_hold_is_missing(tmp_path: Path) -> None:
    talk = negotiated()
    talk.front_end(200, payload=bytes(4 * SIZE))
    talk.front_end("GET_QUEUE_NUM")
    capture = Rotated(tmp_path, Rotation(SIZE))
    for record in talk.records:
        capture.write(record)
    assert capture.sink.lost == 1
    assert max(path.stat().st_size for path in capture.files) <= SIZE
