"""`vudissect attach` where it cannot do it; tests/peers/test_attach.py has the rest."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import run

NOBODY = "4194304"


@pytest.fixture
def strace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of this name, which may not trace anything."""
    program = tmp_path / "strace"
    program.write_text("#!/bin/sh\necho 'strace: attach: ptrace(PTRACE_SEIZE, 1): Operation not permitted' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_without_strace_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))

    _refused("strace is not installed: install the package strace", str(os.getpid()))


@pytest.mark.usefixtures("strace")
def test_a_process_that_does_not_exist() -> None:
    _refused(f"there is no process {NOBODY}", NOBODY)


@pytest.mark.usefixtures("strace")
def test_a_capture_is_not_shown_and_nothing_else_done() -> None:
    _refused("-q without -w would do nothing", "-q", NOBODY)


@pytest.mark.usefixtures("strace")
def test_without_permission_the_remedy_is_named() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        result = run("attach", str(os.getpid()))

    assert result.returncode == 2
    assert b"may not be traced" in result.stderr
    assert b"SYS_PTRACE" in result.stderr


@pytest.mark.usefixtures("strace")
def test_a_process_without_sockets() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        _refused("(sleep) has no Unix sockets", str(process.pid))
        process.kill()


@pytest.mark.usefixtures("strace")
def test_a_word_that_is_no_process() -> None:
    result = run("attach", "qemu")

    assert result.returncode == 2
    assert b"'qemu' is not a valid integer" in result.stderr


def _refused(words: str, *arguments: str) -> None:
    result = run("attach", *arguments)

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert words in result.stderr.decode()
