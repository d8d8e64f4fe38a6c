"""Which task reads which captures."""

from pathlib import Path

import pytest

from vudissect.spark.tasks import BYTES_OF_A_TASK, captures_at, tasks


def sized(place: Path, **sizes: int) -> list[str]:
    """Files of these sizes, without contents."""
    paths = []
    for name, size in sizes.items():
        path = place / f"{name}.pcapng"
        with path.open("wb") as file:
            file.truncate(size)
        paths.append(str(path))
    return paths


def test_small_captures_share_a_task(tmp_path: Path) -> None:
    captures = sized(tmp_path, a=100, b=200, c=300)

    assert list(tasks(captures)) == [captures]


def test_a_large_capture_has_its_own(tmp_path: Path) -> None:
    small, large, other = sized(tmp_path, a=100, b=5 * BYTES_OF_A_TASK, c=300)

    assert list(tasks([small, large, other])) == [[small], [large], [other]]


def test_a_task_is_full_with_its_bytes(tmp_path: Path) -> None:
    half = BYTES_OF_A_TASK // 2
    first, second, third = sized(tmp_path, a=half, b=half, c=1)

    assert list(tasks([first, second, third])) == [[first, second], [third]]


def test_a_capture_that_is_gone_is_left_to_its_reader(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.pcapng")

    assert list(tasks([gone])) == [[gone]]


def test_no_captures_need_no_task() -> None:
    assert list(tasks([])) == []


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
