"""`vudissect export` and `query` as a user calls them."""

import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.conversation import Conversation


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A directory with three captures."""
    folder = tmp_path / "night"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.pcapng").write_bytes(talk(number + 1))
    return folder


def talk(messages: int) -> bytes:
    made = Conversation()
    made.open("qemu", "disk")
    for index in range(messages):
        made.front_end("SET_VRING_NUM", index=index, num=256)
    return made.capture()


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def asked(sql: str, folder: Path) -> list[dict[str, object]]:
    result = run("query", sql, str(folder), "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("jobs", ["1", "2", "8"])
def test_all_captures_of_a_directory_are_exported(night: Path, tmp_path: Path, jobs: str) -> None:
    result = run("export", str(night), "-o", str(tmp_path / "tables"), "--jobs", jobs)

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == b"3 captures: 6 messages\n"
    assert asked("SELECT count(*) AS rows FROM messages", tmp_path / "tables") == [{"rows": 6}]


def test_what_is_done_is_skipped(night: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    run("export", str(night), "-o", str(tables))
    before = {name: (tables / name).stat().st_mtime_ns for name in names(tables)}

    result = run("export", str(night), "-o", str(tables))

    assert result.stdout == b"3 captures, 3 of them exported before: 6 messages\n"
    assert {name: (tables / name).stat().st_mtime_ns for name in names(tables)} == before


def test_a_capture_that_has_grown_is_exported_again(night: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    run("export", str(night), "-o", str(tables))
    (night / "0.pcapng").write_bytes(talk(10))

    result = run("export", str(night), "-o", str(tables))

    assert result.stdout == b"3 captures, 2 of them exported before: 15 messages\n"
    assert asked("SELECT count(*) AS rows FROM messages", tables) == [{"rows": 15}]


def test_an_export_that_was_killed_goes_on_with_what_has_no_note(night: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    run("export", str(night), "-o", str(tables))
    # As after a crash before the note was written, with another file that was not finished.
    (note,) = (tables / "captures").iterdir()
    note.unlink()
    (tables / "messages" / ".half.parquet.part").touch()
    (night / "3.pcapng").write_bytes(talk(4))

    result = run("export", str(night), "-o", str(tables))

    assert result.stdout == b"4 captures: 10 messages\n"
    assert asked("SELECT count(*) AS rows FROM messages", tables) == [{"rows": 10}]
    assert not list(tables.rglob(".*"))


@pytest.mark.parametrize(("files", "jobs", "done"), [(["0", "pipe"], "1", 1), (["pipe", "pipe-2"], "2", 0)])
def test_an_interrupted_export_prints_how_to_go_on(
    night: Path, tmp_path: Path, files: list[str], jobs: str, done: int
) -> None:
    captures = [night / f"{name}.pcapng" for name in files]
    pipes = [capture for capture in captures if not capture.exists()]
    for pipe in pipes:
        os.mkfifo(pipe)
    command = [sys.executable, "-m", "vudissect", "export", *map(str, captures), "-o", str(tmp_path / "tables")]
    process = subprocess.Popen(
        [*command, "--jobs", jobs], stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
    )
    with ExitStack() as stack:
        for pipe in pipes:
            stack.enter_context(pipe.open("wb", buffering=0)).write(talk(1)[:-1])

        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        output, errors = process.communicate()

    assert (process.returncode, output) == (130, b"")
    says = f"vudissect: interrupted: {done} of 2 captures are done; call the command again to go on\n"
    assert errors.decode() == says
    assert not list((tmp_path / "tables").rglob(".*"))


def test_what_cannot_be_read_is_listed_and_the_rest_is_done(night: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    (night / "0.pcapng").write_bytes(talk(5)[:-10])
    (night / "1.pcapng").write_text("a log")
    damaged = bytearray(talk(9))
    damaged[-400:-100] = b"\xff" * 300
    (night / "3.pcapng").write_bytes(damaged)
    (night / "4.pcapng").write_bytes(Conversation().capture())

    first, again = (run("export", str(night), "-o", str(tables), "--jobs", "2") for _ in range(2))

    lines = sorted(first.stderr.decode().splitlines())
    assert [line.split(": ")[1] for line in lines] == [str(night / f"{number}.pcapng") for number in (0, 1, 3, 4)]
    assert "the capture ends within a block" in lines[0]
    assert "not a pcapng capture" in lines[1]
    assert "the capture is damaged" in lines[2]
    assert first.stdout.endswith(b"; 4 not read to the end\n")
    assert (first.returncode, again.returncode) == (1, 1)
    assert sorted(again.stderr.decode().splitlines()) == lines
    found = asked("SELECT split_part(file, '/', -1) AS name FROM captures WHERE problem IS NOT NULL ORDER BY 1", tables)
    assert [row["name"] for row in found] == ["0.pcapng", "1.pcapng", "3.pcapng", "4.pcapng"]
    # Up to the cut.
    assert asked("SELECT count(*) AS rows FROM messages WHERE file LIKE '%/0.pcapng'", tables) == [{"rows": 4}]


@pytest.mark.parametrize(("form", "room"), [("csv", 100_000), ("parquet", 2_000)])
def test_a_full_disk_leaves_no_half_file(night: Path, tmp_path: Path, form: str, room: int) -> None:
    tables = tmp_path / "tables"
    (night / "9.pcapng").write_bytes(talk(2000))

    result = subprocess.run(
        [sys.executable, "-m", "vudissect.cli", "export", str(night), "-o", str(tables), "--format", form],
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )

    assert (result.returncode, result.stderr) == (2, f"vudissect: {tables}: File too large\n".encode())
    assert names(tables) == ["export.json"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export", "-", "-o", "{new}"], "-: export reads files, not standard input"),
        (["export", "{night}", "-o", "{night}"], "the directory is neither empty nor an export: use another one"),
        (["export", "{night}", "-o", "{done}", "--format", "csv"], "this export is parquet: use --format parquet"),
        (["export", "{night}", "-o", "{old}"], "export the captures again into another directory"),
        (["export", "{night}", "-o", "{new}", "--format", "parqet"], "did you mean parquet?"),
        (["query", "SELECT 1", "{new}"], "not an export: make one with vudissect export FILE... -o"),
        (["query", "SELCT 1", "{done}"], 'syntax error at or near "SELCT"'),
        (["query", "SELECT latency FROM messages", "{done}"], "latency_ns"),
    ],
)
def test_a_mistake_is_one_line(night: Path, tmp_path: Path, arguments: list[str], says: str) -> None:
    places = {name: str(tmp_path / name) for name in ("night", "done", "old", "new")}
    run("export", str(night), "-o", places["done"])
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "export.json").write_text('{"schema_version": 0, "format": "csv"}')

    result = run(*(argument.format(**places) for argument in arguments))

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert says in result.stderr.decode()


@pytest.mark.parametrize(
    ("module", "arguments", "says"),
    [
        ("pyarrow", ["export", "{night}", "-o", "{new}"], "pip install 'vudissect[parquet]', or use --format csv"),
        ("duckdb", ["query", "SELECT 1", "{new}"], "query needs DuckDB: pip install 'vudissect[fleet]'"),
    ],
)
def test_a_missing_package_is_named(night: Path, tmp_path: Path, module: str, arguments: list[str], says: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; from vudissect.cli.main import main; main()"
    words = [word.format(night=night, new=tmp_path / "new") for word in arguments]

    result = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=30)

    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr
    assert not os.path.exists(tmp_path / "new")


def test_a_result_is_in_columns(night: Path, tmp_path: Path) -> None:
    run("export", str(night), "-o", str(tmp_path / "tables"))

    result = run(
        "query",
        "SELECT ring, count(*) AS times, NULL AS nothing, 'a' || chr(27) AS text FROM messages GROUP BY 1 ORDER BY 1",
        str(tmp_path / "tables"),
    )

    assert result.stdout.decode().splitlines() == [
        "ring  times  nothing  text",
        "   0      3  -        a\\x1b",
        "   1      2  -        a\\x1b",
        "   2      1  -        a\\x1b",
    ]
