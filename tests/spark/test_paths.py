"""The captures that paths name."""

from pathlib import Path

import pytest

from vudissect.spark.paths import captures_at


def sized(place: Path, **sizes: int) -> list[str]:
    """Files of these sizes, without contents."""
    paths = []
    for name, size in sizes.items():
        path = place / f"{name}.pcapng"
        with path.open("wb") as file:
            file.truncate(size)
        paths.append(str(path))
    return paths


def test_captures_are_named_by_folder_file_and_pattern(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    other, (deep,) = sized(tmp_path, other=1)[0], sized(tmp_path / "below", deep=1)
    (tmp_path / "notes.txt").write_text("no capture")

    assert captures_at([str(tmp_path)]) == sorted([other, deep])
    assert captures_at([other, str(tmp_path)])[0] == other
    assert captures_at([str(tmp_path / "*" / "d*.pcapng")]) == [deep]


def test_a_capture_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    (capture,) = sized(tmp_path, a=1)

    assert captures_at([capture, str(tmp_path)]) == [capture]


def test_a_path_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing: there is no such file or folder"):
        captures_at([str(tmp_path / "nothing")])
