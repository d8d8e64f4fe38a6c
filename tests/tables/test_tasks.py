"""Which captures are read together."""

import os
from pathlib import Path

from vudissect.tables.tasks import tasks

MOST = 1 << 20


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

    assert list(tasks(captures, MOST)) == [captures]


def test_a_large_capture_has_its_own(tmp_path: Path) -> None:
    small, large, other = sized(tmp_path, a=100, b=5 * MOST, c=300)

    assert list(tasks([small, large, other], MOST)) == [[small], [large], [other]]


def test_a_task_is_full_with_its_bytes(tmp_path: Path) -> None:
    half = MOST // 2
    first, second, third = sized(tmp_path, a=half, b=half, c=1)

    assert list(tasks([first, second, third], MOST)) == [[first, second], [third]]


def test_a_capture_that_is_gone_is_left_to_its_reader(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.pcapng")

    assert list(tasks([gone], MOST)) == [[gone]]


def test_no_captures_need_no_task() -> None:
    assert list(tasks([], MOST)) == []


def test_a_pipe_has_a_task_of_its_own(tmp_path: Path) -> None:
    pipe, (small,) = str(tmp_path / "pipe"), sized(tmp_path, a=1)
    os.mkfifo(pipe)

    assert list(tasks([small, pipe, small], MOST)) == [[small], [pipe], [small]]
