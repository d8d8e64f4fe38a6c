"""Standard output, whatever it is: narrow encodings, full disks, readers that leave, pipes that do not block."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import TIMEOUT, run_apart
from tests.conversation import Conversation

SHOW = (sys.executable, "-m", "vudissect.cli", "show")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    talk = Conversation()
    talk.open("é€\U0001f600", "disk")
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    path = tmp_path / "talk.pcapng"
    path.write_bytes(talk.capture())
    return path


def shell(command: str) -> subprocess.CompletedProcess[bytes]:
    program = f"{sys.executable} -m vudissect.cli"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("vudissect", program)],
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("ascii", rb"front-end \xe9\u20ac\U0001f600,"),
        ("latin-1", b"front-end \xe9" + rb"\u20ac\U0001f600,"),
        ("utf-8", "front-end é€\U0001f600,".encode()),
    ],
)
def test_what_an_encoding_lacks_is_escaped(capture: Path, encoding: str, name: bytes) -> None:
    result = run_apart("show", str(capture), PYTHONIOENCODING=encoding)

    assert (result.returncode, result.stderr) == (0, b"")
    assert name in result.stdout


def test_in_the_c_locale_too(capture: Path) -> None:
    result = run_apart("lint", str(capture), LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")

    assert (result.returncode, result.stderr) == (1, b"")


def test_an_explanation_too() -> None:
    result = run_apart("explain", "é recvmsg failed", PYTHONIOENCODING="ascii")

    assert result.stdout.startswith(rb"\xe9 recvmsg failed")


@pytest.mark.parametrize(
    "command",
    [
        "vudissect --help",
        "vudissect --version",
        "vudissect show --help",
        "vudissect show FILE",
        "vudissect show --json FILE",
        "vudissect lint FILE",
        "vudissect state FILE",
        "vudissect messages",
        "vudissect rules",
        "vudissect dialects",
        "vudissect explain 'recvmsg failed'",
        "echo 'F>B SET_OWNER' | vudissect compose -",
        "vudissect wireshark generate",
    ],
)
def test_a_full_output_is_named_and_not_the_input(capture: Path, command: str) -> None:
    result = shell(f"{command.replace('FILE', str(capture))} > /dev/full")

    text = result.stderr.decode()
    assert (result.returncode, text.count("\n")) == (2, 1)
    assert text.endswith(": standard output: No space left on device\n")


@pytest.mark.parametrize("command", ["vudissect messages", "vudissect show --json FILE", "vudissect --help"])
def test_a_reader_that_leaves_is_no_error(capture: Path, command: str) -> None:
    result = shell(f"{command.replace('FILE', str(capture))} | true")

    assert (result.returncode, result.stderr) == (0, b"")


def test_a_reader_that_leaves_does_not_turn_the_linter_green(capture: Path) -> None:
    result = shell(f"vudissect lint {capture} | true")

    assert (result.returncode, result.stderr) == (1, b"")


@pytest.mark.parametrize(("output", "status"), [("> /dev/full", 2), ("| true", 1)])
def test_a_report_is_whole_whatever_becomes_of_the_output(
    capture: Path, tmp_path: Path, output: str, status: int
) -> None:
    lint = "vudissect lint" + f" {capture}" * 99
    shell(f"{lint} --junit {tmp_path}/expected")

    result = shell(f"{lint} --junit {tmp_path}/report {output}")

    assert result.returncode == status
    assert (tmp_path / "report").read_text() == (tmp_path / "expected").read_text()


def test_a_pipe_that_does_not_block_gets_all_of_it(tmp_path: Path) -> None:
    talk = Conversation()
    for _ in range(3000):
        talk.front_end("SET_OWNER")
    path = tmp_path / "talk.pcapng"
    path.write_bytes(talk.capture())
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    with subprocess.Popen([*SHOW, "--json", "--no-findings", str(path)], stdout=writable) as process:
        os.close(writable)
        with open(readable, "rb") as stream:
            frames = [json.loads(line)["frame"] for line in stream]

    assert (process.returncode, frames) == (0, list(range(1, 3001)))


def test_an_error_output_that_is_full_changes_no_status(capture: Path) -> None:
    assert shell("vudissect show /nowhere 2> /dev/full").returncode == 2
    assert shell("vudissect --no-such 2> /dev/full").returncode == 2
