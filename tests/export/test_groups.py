"""Small captures share files, and each of them is still replaced alone."""

from pathlib import Path
from typing import Any

import pytest

from tests.conversation import Conversation
from vudissect.export import capture as export
from vudissect.export.errors import ExportError
from vudissect.export.folder import FORMATS, Folder
from vudissect.export.jobs import export_captures
from vudissect.export.query import query

LONG = "x" * 200_000


def talk(path: Path, messages: int, back_end: str = "disk") -> str:
    made = Conversation()
    made.open("qemu", back_end)
    for index in range(messages):
        made.front_end("SET_VRING_NUM", index=index, num=256)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(made.capture())
    return str(path)


@pytest.fixture
def captures(tmp_path: Path) -> list[str]:
    return [talk(tmp_path / f"{number}.pcapng", number) for number in (1, 2, 3)]


def exported(captures: list[str], form: str = "jsonl", partition: tuple[str, ...] = ()) -> Folder:
    folder = Folder.begin(str(Path(captures[0]).parent / "tables"), form, partition)
    list(export_captures(captures, folder, 1))
    return folder


def rows(folder: Folder, table: str = "messages") -> list[tuple[Any, ...]]:
    sql = f"SELECT split_part(file, '/', -1) AS name, count(*) FROM {table} GROUP BY name ORDER BY name"
    return list(query(sql, folder).rows)


def groups(folder: Folder) -> list[str]:
    return sorted(path.name.rpartition("-")[0] for path in Path(folder.path, "messages").iterdir())


def test_they_share_a_file(captures: list[str]) -> None:
    assert groups(exported(captures)) == ["1.pcapng+2"]


@pytest.mark.parametrize("form", FORMATS)
def test_one_that_has_changed_leaves_the_others(captures: list[str], tmp_path: Path, form: str) -> None:
    exported(captures, form)
    talk(tmp_path / "2.pcapng", 5)
    folder = exported(captures, form)

    assert groups(folder) == ["1.pcapng+2", "2.pcapng"]
    assert rows(folder) == [("1.pcapng", 1), ("2.pcapng", 5), ("3.pcapng", 3)]
    assert rows(folder, "sessions") == [("1.pcapng", 1), ("2.pcapng", 1), ("3.pcapng", 1)]
    assert rows(folder, "captures") == [("1.pcapng", 1), ("2.pcapng", 1), ("3.pcapng", 1)]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_copied_is_as_it_was(captures: list[str], tmp_path: Path, form: str) -> None:
    talk(tmp_path / "1.pcapng", 1, LONG)
    sql = "SELECT * FROM sessions WHERE file LIKE '%1.pcapng'"
    before = list(query(sql, exported(captures, form)).rows)
    talk(tmp_path / "2.pcapng", 5)

    assert list(query(sql, exported(captures, form)).rows) == before


def test_the_rows_of_a_capture_that_is_gone_stay(captures: list[str], tmp_path: Path) -> None:
    exported(captures)
    (tmp_path / "1.pcapng").unlink()
    talk(tmp_path / "2.pcapng", 5)

    assert rows(exported(captures[1:])) == [("1.pcapng", 1), ("2.pcapng", 5), ("3.pcapng", 3)]


def test_a_group_ends_with_its_last_capture(captures: list[str], tmp_path: Path) -> None:
    exported(captures)
    for number in (1, 2, 3):
        talk(tmp_path / f"{number}.pcapng", 7)
        folder = exported(captures)

    assert groups(folder) == ["1.pcapng", "2.pcapng", "3.pcapng"]
    assert rows(folder) == [("1.pcapng", 7), ("2.pcapng", 7), ("3.pcapng", 7)]


def test_few_of_many_partitions_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_MOST_OPEN", 1)
    captures = [talk(tmp_path / name, 1) for name in ("a/1.pcapng", "b/2.pcapng", "a/3.pcapng")]
    folder = exported(captures, "jsonl", ("host",))

    assert rows(folder) == [("1.pcapng", 1), ("2.pcapng", 1), ("3.pcapng", 1)]
    assert len(list(Path(folder.path, "messages", "host=a").iterdir())) == 2


def test_an_export_with_other_files_is_left_alone(captures: list[str], tmp_path: Path) -> None:
    folder = exported(captures)
    about = Path(folder.path, "export.json")
    about.write_text(about.read_text().replace('"layout": 2', '"layout": 1'))

    with pytest.raises(ExportError, match="another release made this export, with other files"):
        exported(captures)
