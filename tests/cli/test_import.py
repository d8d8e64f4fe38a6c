"""`vudissect import` as a user calls it."""

from pathlib import Path

import pytest

from tests.cli.program import run
from tests.sources.test_named import TRACE

LOGS = Path(__file__).parents[1] / "sources" / "logs"
FRONT, BACK = (str(LOGS / f"qemu-7.2-blk.{side}.strace") for side in ("front-end", "back-end"))


def test_a_log_becomes_a_capture_that_names_its_source(tmp_path: Path) -> None:
    capture = tmp_path / "boot.pcapng"

    result = run("import", FRONT, "-w", str(capture))

    assert (result.returncode, result.stdout) == (0, b"")
    assert b"42 messages; 1 connection seen by the front-end" in result.stderr
    assert b"back-end ?, from strace of the front-end" in run("show", str(capture)).stdout
    assert b"seen in     strace of the front-end" in run("summary", str(capture)).stdout
    assert b'"seen_by":"front-end"' in run("show", "--json", str(capture)).stdout


def test_logs_of_both_sides_become_one_capture() -> None:
    result = run("import", BACK, FRONT)

    assert b"42 messages; 1 connection seen by both sides" in result.stderr
    assert b"from strace of both sides" in run("show", "-", stdin=result.stdout).stdout


def test_what_a_log_does_not_show_is_unknown_in_every_view() -> None:
    capture = run("import", FRONT).stdout

    assert b"memfd memory-backend-memfd size unknown" in run("show", "-", stdin=capture).stdout
    assert b"size, seals and flags unknown" in run("show", "-v", "-", stdin=capture).stdout
    assert b'"size":null' in run("show", "--json", "-", stdin=capture).stdout


def test_the_trace_of_qemu_has_no_payloads(tmp_path: Path) -> None:
    result = run("import", str(LOGS / "qemu-10.0-blk.trace"))

    assert b"a QEMU trace has no payloads" in result.stderr
    assert b"F>B GET_FEATURES payload unknown" in run("show", "-", stdin=result.stdout).stdout
    assert b'"size":null,"payload":null,"fds":null' in run("show", "--json", "-", stdin=result.stdout).stdout


def test_a_binary_trace_of_qemu(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_bytes(TRACE)

    result = run("import", str(trace))

    assert b"2 messages; 1 connection seen by the front-end" in result.stderr


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"nothing of the kind\n", "no system calls of strace, and no messages of QEMU's traces"),
        (b"close(3) = 0\n", "no vhost-user messages in these system calls"),
        (b"", "no system calls of strace"),
        (b"\x00\xff" * 100, "no system calls of strace"),
        (None, "No such file"),
    ],
)
def test_what_is_no_log_is_refused_in_one_line(tmp_path: Path, contents: bytes | None, words: str) -> None:
    log = tmp_path / "boot.strace"
    if contents is not None:
        log.write_bytes(contents)

    result = run("import", str(log), "-w", str(tmp_path / "boot.pcapng"))

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert words in result.stderr.decode()
