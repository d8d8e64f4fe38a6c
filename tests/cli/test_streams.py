"""Commands that are started without standard input, output or error."""

import subprocess
import sys
from pathlib import Path

import pytest

from vudissect.conversation.text import read_conversation

TIMEOUT = 30
VUDISSECT = [sys.executable, "-c", "from vudissect.cli.main import main; main(prog_name='vudissect')"]
COMMANDS = [
    ["--help"],
    ["show", "talk.pcapng"],
    ["summary", "talk.pcapng"],
    ["diff", "talk.pcapng", "talk.pcapng"],
    ["times", "talk.pcapng"],
    ["lint", "talk.pcapng"],
    ["state", "talk.pcapng"],
    ["messages"],
    ["dialects"],
    ["rules"],
    ["explain", "Failed to set msg fds."],
    ["compose", "talk.vu"],
    ["wireshark", "generate"],
]


def run(folder: Path, command: list[str], redirections: str) -> subprocess.CompletedProcess[str]:
    (folder / "talk.vu").write_text("F>B GET_FEATURES\n")
    (folder / "talk.pcapng").write_bytes(read_conversation("F>B GET_FEATURES\n").capture())
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *VUDISSECT, *command],
        cwd=folder,
        input="",
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_standard_output_is_closed(tmp_path: Path, command: list[str]) -> None:
    done = run(tmp_path, command, ">&-")

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "Bad file descriptor" in done.stderr


@pytest.mark.parametrize("command", [["--help"], ["show", "talk.pcapng"], ["compose", "talk.vu"]], ids=" ".join)
def test_all_are_closed(tmp_path: Path, command: list[str]) -> None:
    done = run(tmp_path, command, "<&- >&- 2>&-")

    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize("command", [["show", "talk.pcapng"], ["lint", "talk.pcapng"], ["messages"]], ids=" ".join)
def test_the_others_are_not_needed(tmp_path: Path, command: list[str]) -> None:
    done, closed = (run(tmp_path, command, redirections) for redirections in ("2>/dev/null", "<&- 2>&-"))

    assert (closed.returncode, closed.stdout) == (done.returncode, done.stdout)


def test_what_is_wrong_is_not_said_where_the_result_belongs(tmp_path: Path) -> None:
    done = run(tmp_path, ["compose", "nowhere"], "2>&-")

    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("command", [["show", "-"], ["lint", "-"], ["compose", "-"], ["explain", "-"]], ids=" ".join)
def test_standard_input_that_is_wanted_is_closed(tmp_path: Path, command: list[str]) -> None:
    done = run(tmp_path, command, "<&-")

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
