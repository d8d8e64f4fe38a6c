"""`vuproxy -b` as a process."""

import re
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.proxy.harness import eventually, message
from tests.proxy.test_program import NUM, Program, converse, quiet
from vudissect.analysis import read
from vudissect.capture.errors import TruncatedCapture
from vudissect.capture.record import RecordKind
from vudissect.cli.vuproxy import main

LIMIT = 100_000
ROTATED = ("-b", "filesize:100", "-b", "files:3")
LONG = message("SET_CONFIG", bytes(20_000))
# More than three files can hold.
MANY = 25


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("capture_*.pcapng"))


def recorded(path: Path) -> list[bytes]:
    """The messages in a file that are not repeated, up to where it ends."""
    found = []
    try:
        for record in read(path):
            if record.kind is RecordKind.MESSAGE and not record.is_earlier:
                found.append(record.data)
    except TruncatedCapture:
        pass
    return found


def talk(program: Program) -> None:
    """A session that needs more room than there is."""
    front, back = program.connect()
    converse(front, back)
    for _ in range(MANY):
        front.send(LONG)
        assert back.receive_all(len(LONG)) == LONG


def test_the_newest_files_are_kept_and_explain_themselves(tmp_path: Path) -> None:
    with quiet(tmp_path, *ROTATED) as program:
        talk(program)
        status, _, errors = program.end()
    kept = files(tmp_path)
    assert status == 0
    assert len(kept) == 3
    assert all(re.fullmatch(r"capture_\d{5}_\d{14}\.pcapng", path.name) for path in kept)
    assert max(path.stat().st_size for path in kept) <= LIMIT
    assert f"vudissect summary {kept[-1].name} shows what happened last" in errors
    for path in kept:
        known = [record for record in read(path) if record.is_earlier]
        assert known[0].kind is RecordKind.CONNECTION_OPENED
        assert {record.data[:4] for record in known[1:]} >= {b"\1\0\0\0"}


def test_a_killed_recorder_has_written_everything(tmp_path: Path) -> None:
    with quiet(tmp_path, *ROTATED) as program:
        talk(program)
        front, _ = program.connect()
        front.send(NUM)
        eventually(lambda: recorded(files(tmp_path)[-1])[-1:] == [NUM])
        program.end(signal.SIGKILL)
    assert len(files(tmp_path)) == 3
    assert recorded(files(tmp_path)[-1])[-1:] == [NUM]


def test_nothing_is_left_if_nothing_was_recorded(tmp_path: Path) -> None:
    with quiet(tmp_path, *ROTATED) as program:
        eventually(lambda: bool(files(tmp_path)))
        eventually((tmp_path / "front.sock").exists)
        _, _, errors = program.end()
    assert "nothing was recorded" in errors
    assert not files(tmp_path)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["size:8"], "'size:8' is none of filesize:N, duration:N and files:N"),
        (["filesize"], "'filesize' is none of filesize:N, duration:N and files:N"),
        (["filesize:8X"], "'filesize:8X' must be at least 100 (kB), such as 8M or 1G"),
        (["filesize:99"], "'filesize:99' must be at least 100 (kB), such as 8M or 1G"),
        (["duration:0"], "'duration:0' must be at least 1 (second), such as 30m, 12h or 1d"),
        (["filesize:8M", "files:1"], "'files:1' must be at least 2 files"),
        (["filesize:8M", "files:2.5"], "'files:2.5' must be a whole number of files, at least 2"),
        (["filesize:8M", "filesize:9M"], "filesize is given twice"),
        (["files:8"], "files:N needs filesize:N or duration:N, which end a file"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(words: list[str], text: str) -> None:
    options = [option for word in words for option in ("-b", word)]
    result = CliRunner().invoke(main, ["--listen", "a.sock", "--connect", "b.sock", *options])
    assert result.exit_code == 2
    assert text in result.output


def test_standard_output_cannot_be_rotated() -> None:
    result = CliRunner().invoke(main, ["--listen", "a", "--connect", "b", "-w", "-", "-b", "filesize:8M"])
    assert result.exit_code == 2
    assert "-b writes several files, and -w - is standard output" in result.output
