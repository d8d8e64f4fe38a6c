"""The captures that paths name."""

from pathlib import Path

import pytest

from vudissect.spark.paths import captures_at


def capture_at(path: Path) -> str:
    """A file without contents."""
    path.touch()
    return str(path)


def test_captures_are_named_by_folder_file_and_pattern(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    other, deep = capture_at(tmp_path / "other.pcapng"), capture_at(tmp_path / "below" / "deep.pcapng")
    (tmp_path / "notes.txt").write_text("no capture")

    assert captures_at([str(tmp_path)]) == sorted([other, deep])
    assert captures_at([other, str(tmp_path)])[0] == other
    assert captures_at([str(tmp_path / "*" / "d*.pcapng")]) == [deep]


def test_a_capture_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    capture = capture_at(tmp_path / "a.pcapng")

    assert captures_at([capture, str(tmp_path)]) == [capture]


def test_a_path_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing: there is no such file or folder"):
        captures_at([str(tmp_path / "nothing")])
