"""Tables of captures as Arrow batches, as the workers of Spark make them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conversation import Conversation
from vudissect.spark.batches import ALL, table_batches


def rows(table: str, *captures: Path, columns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows of a table, by column."""
    names = columns or [column.name for column in ALL[table].columns]
    return [row for batch in table_batches(map(str, captures), ALL[table], names) for row in batch.to_pylist()]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    talk = Conversation()
    talk.open("qemu", "disk")
    talk.front_end("SET_OWNER")
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    path = tmp_path / "talk.pcapng"
    path.write_bytes(talk.capture())
    return path


def test_only_the_columns_that_are_asked_for_are_made(capture: Path) -> None:
    assert rows("messages", capture, columns=("ring", "message")) == [
        {"ring": None, "message": "SET_OWNER"},
        {"ring": 3, "message": "SET_VRING_ENABLE"},
    ]


def test_times_are_whole_nanoseconds_and_words_have_no_sign(tmp_path: Path) -> None:
    talk = Conversation()
    talk.ask("GET_FEATURES", features=(1 << 64) - 1)
    path = tmp_path / "talk.pcapng"
    path.write_bytes(talk.capture())

    (session,) = rows("sessions", path)

    assert session["started"] == talk.records[0].time
    assert session["features_offered"] == (1 << 64) - 1


def test_findings_are_those_of_the_linter(capture: Path) -> None:
    assert "VU-VRG-03" in {row["rule"] for row in rows("findings", capture)}


@pytest.mark.parametrize("table", ALL)
def test_a_file_that_is_no_capture_only_has_an_error(table: str, tmp_path: Path) -> None:
    foreign = tmp_path / "notes.pcapng"
    foreign.write_text("no capture")

    found = [row["file"] for row in rows(table, foreign)]

    assert found == ([str(foreign)] if table in ("captures", "errors") else [])


def test_a_capture_that_is_gone_has_no_size(tmp_path: Path) -> None:
    assert rows("captures", tmp_path / "gone.pcapng") == [
        {
            "file": str(tmp_path / "gone.pcapng"),
            "size_bytes": None,
            "problem": "No such file or directory",
            "withheld_findings": 0,
        }
    ]


def test_of_a_capture_that_is_cut_off_there_is_what_it_has(capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-3])

    assert [row["message"] for row in rows("messages", capture)] == ["SET_OWNER"]
    assert len(rows("errors", capture)) == 1


def test_the_next_capture_is_read_after_a_bad_one(capture: Path, tmp_path: Path) -> None:
    assert len(rows("messages", tmp_path / "gone.pcapng", capture)) == 2
