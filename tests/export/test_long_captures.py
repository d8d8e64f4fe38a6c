"""Memory does not grow with the length of a capture: what is kept of it has a bound."""

import gc
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.conversation import Conversation, eventfd
from vudissect.analysis import Analysis
from vudissect.capture.record import Record
from vudissect.export import capture as export
from vudissect.export import parquet
from vudissect.export.folder import FORMATS, Folder
from vudissect.export.jobs import export_captures
from vudissect.export.query import query
from vudissect.tables import collect
from vudissect.tables.collect import Tables
from vudissect.tables.columns import batch_of
from vudissect.tables.schema import ERRORS

# More records than are looked at ahead of a capture, and a multiple of what is read at once.
SOME = 128
# Much less than anything that could be kept of a connection.
BYTES = 64


def talk(path: Path, messages: int) -> str:
    made = Conversation()
    made.open("qemu", "disk")
    for index in range(messages):
        made.front_end("SET_VRING_NUM", index=index, num=256)
    path.write_bytes(made.capture())
    return str(path)


@pytest.fixture
def short_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_FEW", 2)
    monkeypatch.setattr(collect, "ROWS_IN_A_BATCH", 2)
    monkeypatch.setattr(export, "ROWS_IN_A_FILE", 4)


def rows_of_files(folder: Folder) -> dict[str, int]:
    files = sorted(Path(folder.path, "messages").iterdir())
    return {path.name.partition("-")[2][16:]: len(path.read_text().splitlines()) for path in files}


@pytest.mark.usefixtures("short_files")
def test_a_table_of_a_long_capture_has_several_files(tmp_path: Path) -> None:
    folder = Folder.begin(str(tmp_path / "tables"), "jsonl")
    list(export_captures([talk(tmp_path / "talk.pcapng", 10)], folder, 1))

    assert rows_of_files(folder) == {".jsonl": 4, "-2.jsonl": 4, "-3.jsonl": 2}


@pytest.mark.usefixtures("short_files")
@pytest.mark.parametrize("form", FORMATS)
def test_a_query_reads_all_of_them(tmp_path: Path, form: str) -> None:
    folder = Folder.begin(str(tmp_path / "tables"), form, ("pair",))
    list(export_captures([talk(tmp_path / "talk.pcapng", 10)], folder, 1))

    assert list(query("SELECT count(*), count(DISTINCT frame) FROM messages", folder).rows) == [(10, 10)]


@pytest.mark.usefixtures("short_files")
def test_none_of_them_is_left_when_the_capture_is_shorter(tmp_path: Path) -> None:
    folder = Folder.begin(str(tmp_path / "tables"), "jsonl")
    list(export_captures([talk(tmp_path / "talk.pcapng", 10)], folder, 1))
    list(export_captures([talk(tmp_path / "talk.pcapng", 3)], folder, 1))

    assert rows_of_files(folder) == {".jsonl": 3}


def test_small_batches_share_a_row_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROWS_IN_A_GROUP", 4)
    output = io.BytesIO()
    writer = parquet.ParquetWriter(ERRORS, output)
    for number in range(6):
        writer.write(batch_of(ERRORS, [(f"{number}.pcapng", "cut off")]))
    writer.close()

    metadata = pyarrow.parquet.ParquetFile(output).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [4, 2]


def test_a_row_group_with_long_texts_has_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_BYTES_IN_A_GROUP", 100)
    output = io.BytesIO()
    writer = parquet.ParquetWriter(ERRORS, output)
    for number in range(4):
        writer.write(batch_of(ERRORS, [(f"{number}.pcapng", "cut off" * 8)]))
    writer.close()

    metadata = pyarrow.parquet.ParquetFile(output).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [2, 2]


def reconnecting(measured: list[int]) -> Iterator[Record]:
    """Connections one after the other, each closed before the next one begins; how much memory (bytes) is in use after
    some of them, and after twice as many."""
    made = Conversation()
    made.open("qemu", "disk")
    made.front_end("SET_OWNER")
    made.front_end("SET_VRING_NUM", index=0, num=256)
    made.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(1),))
    made.close("front-end")
    for number in range(1, 2 * SOME + 1):
        for record in made.records:
            frame = number * len(made.records) + record.frame
            yield record._replace(connection=number, sequence=frame, frame=frame)
        if number in (SOME, 2 * SOME):
            gc.collect()
            measured.append(tracemalloc.get_traced_memory()[0])


def test_what_is_kept_of_a_connection_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "ROWS_IN_A_BATCH", 16)
    measured: list[int] = []
    tracemalloc.start()
    try:
        for _ in Tables("talk.pcapng").batches(Analysis(reconnecting(measured))):
            pass
    finally:
        tracemalloc.stop()

    some, more = measured
    assert more - some < SOME * BYTES
