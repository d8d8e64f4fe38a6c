"""The files of every format have the same rows."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.conversation import Conversation, memfd
from vudissect.export.folder import FORMATS, Folder
from vudissect.export.jobs import export_captures
from vudissect.export.query import query
from vudissect.export.text import time_text
from vudissect.tables.schema import SCHEMA_VERSION, TABLES


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    talk = Conversation()
    talk.open('qemu "x", 1', "disk\udcff\n")
    talk.ask("GET_FEATURES", features=(1 << 64) - 1)
    region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(size=1 << 20),))
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    path = tmp_path / "talk's [1].pcapng"
    path.write_bytes(talk.capture())
    return path


def exported(capture: Path, form: str) -> Folder:
    folder = Folder.begin(str(capture.parent / f"it's {form} [x]"), form)
    list(export_captures([str(capture)], folder, 1))
    return folder


def asked(folder: Folder, sql: str) -> list[tuple[Any, ...]]:
    return list(query(sql, folder).rows)


@pytest.mark.parametrize("table", [table.name for table in TABLES])
@pytest.mark.parametrize("form", [form for form in FORMATS if form != "parquet"])
def test_the_rows_are_those_of_parquet(capture: Path, form: str, table: str) -> None:
    sql = f"SELECT * FROM {table} ORDER BY ALL"

    assert asked(exported(capture, form), sql) == asked(exported(capture, "parquet"), sql)


@pytest.mark.parametrize("form", FORMATS)
def test_values_come_back_as_they_were(capture: Path, form: str) -> None:
    sql = "SELECT front_end, back_end, features_offered, closed_by, epoch_ns(started), from_start FROM sessions"

    ((front_end, back_end, offered, closed_by, started, whole),) = asked(exported(capture, form), sql)

    assert (front_end, back_end) == ('qemu "x", 1', "disk\\udcff\n")
    assert (offered, closed_by, whole) == ((1 << 64) - 1, None, True)
    assert started == 1_700_000_000_001_000_000


def test_a_time_has_all_its_digits() -> None:
    assert time_text(1_769_866_620_123_456_789) == "2026-01-31 13:37:00.123456789"
    assert time_text((1 << 63) - 1) == "2262-04-11 23:47:16.854775807"


def test_a_parquet_file_names_the_version_of_its_schema(capture: Path) -> None:
    folder = exported(capture, "parquet")
    (file,) = Path(folder.path, "messages").iterdir()

    metadata = pyarrow.parquet.read_schema(file).metadata

    assert metadata[b"vudissect_schema_version"] == str(SCHEMA_VERSION).encode()


def test_csv_begins_with_the_names_of_the_columns(capture: Path) -> None:
    (file,) = Path(exported(capture, "csv").path, "descriptors").iterdir()
    with file.open(newline="") as stream:
        (row,) = csv.DictReader(stream)

    assert (row["message"], row["name"], row["size_bytes"]) == ("SET_MEM_TABLE", "mem#1", "1048576")


def test_json_has_every_column_in_every_line(capture: Path) -> None:
    (file,) = Path(exported(capture, "jsonl").path, "messages").iterdir()
    columns = [column.name for table in TABLES if table.name == "messages" for column in table.columns]

    assert [list(json.loads(line)) for line in file.read_text().splitlines()] == [columns] * 4
