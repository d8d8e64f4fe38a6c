"""Files in folders by day, host and pair, as engines expect them."""

from pathlib import Path

import pytest

from tests.conversation import Conversation
from vudissect.export.errors import ExportError
from vudissect.export.folder import FORMATS, PARTITIONS, Folder
from vudissect.export.jobs import export_captures
from vudissect.export.query import query


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture of two connections, in a folder with the name of a host."""
    talk = Conversation()
    talk.open("qemu", "disk")
    talk.front_end("SET_OWNER")
    talk.close("front-end")
    talk.open("qemu", "switch")
    talk.front_end("SET_OWNER")
    folder = tmp_path / "rack 7=a%"
    folder.mkdir()
    (folder / "talk.pcapng").write_bytes(talk.capture())
    return folder / "talk.pcapng"


def exported(capture: Path, tmp_path: Path, form: str = "jsonl") -> Folder:
    folder = Folder.begin(str(tmp_path / "tables"), form, PARTITIONS)
    list(export_captures([str(capture)], folder, 1))
    return folder


def test_the_folders_are_named_by_the_beginning_of_the_capture(capture: Path, tmp_path: Path) -> None:
    exported(capture, tmp_path)
    (path,) = (tmp_path / "tables" / "messages").rglob("*.jsonl")

    assert path.parent.relative_to(tmp_path / "tables" / "messages") == (
        Path("day=2023-11-14") / "host=rack 7%3Da%25" / "pair=qemu,disk"
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_query_has_them_as_columns(capture: Path, tmp_path: Path, form: str) -> None:
    folder = exported(capture, tmp_path, form)
    rows = query("SELECT DISTINCT host, pair, message FROM messages WHERE day LIKE '20%'", folder).rows

    assert list(rows) == [("rack 7=a%", "qemu,disk", "SET_OWNER")]


def test_a_table_without_files_has_them_too(capture: Path, tmp_path: Path) -> None:
    folder = exported(capture, tmp_path)

    assert list(query("SELECT day FROM descriptors", folder).rows) == []


def test_what_is_unknown_has_the_name_that_engines_use(tmp_path: Path) -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")
    (tmp_path / "talk.pcapng").write_bytes(talk.capture())
    folder = Folder.begin(str(tmp_path / "tables"), "parquet", ("pair",))
    list(export_captures([str(tmp_path / "talk.pcapng")], folder, 1))

    assert [path.name for path in (tmp_path / "tables" / "messages").iterdir()] == ["pair=__HIVE_DEFAULT_PARTITION__"]
    assert list(query("SELECT pair FROM messages", folder).rows) == [(None,)]


def test_a_capture_that_has_changed_leaves_its_old_folder(capture: Path, tmp_path: Path) -> None:
    exported(capture, tmp_path)
    talk = Conversation()
    talk.open("qemu", "gpu")
    talk.front_end("SET_OWNER")
    capture.write_bytes(talk.capture())
    exported(capture, tmp_path)

    assert [path.parent.name for path in (tmp_path / "tables" / "messages").rglob("*.jsonl")] == ["pair=qemu,gpu"]


def test_an_export_keeps_its_partition(capture: Path, tmp_path: Path) -> None:
    exported(capture, tmp_path)

    with pytest.raises(ExportError, match="use --partition day --partition host --partition pair or another directory"):
        Folder.begin(str(tmp_path / "tables"), "jsonl")
