"""The line that says how far a long file has been read."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.conversation import Conversation
from vudissect.cli.progress import CaptureCount, Progress

MEBIBYTE = 1 << 20
TIMEOUT = 30


def read_all(size: int | None, seconds: Iterator[float], name: str = "boot.pcapng") -> tuple[bytes, list[str]]:
    """What is read, in parts of a mebibyte, and the lines that are shown one over the other."""
    terminal = io.StringIO()
    stream = Progress(io.BytesIO(bytes(4 * MEBIBYTE)), name, size, terminal, lambda: next(seconds))
    data = b"".join(iter(lambda: stream.read(MEBIBYTE), b""))
    return data, terminal.getvalue().split("\r")[1:]


def test_it_says_how_much_of_a_file_is_read() -> None:
    data, lines = read_all(4 * MEBIBYTE, count(0.0))

    assert data == bytes(4 * MEBIBYTE)
    assert lines == [
        "reading boot.pcapng: 1M of 4M, 25%\x1b[K",
        "reading boot.pcapng: 2M of 4M, 50%\x1b[K",
        "reading boot.pcapng: 3M of 4M, 75%\x1b[K",
        "reading boot.pcapng: 4M of 4M, 100%\x1b[K",
        "\x1b[K",
    ]


def test_of_a_stream_nobody_knows_the_size() -> None:
    assert read_all(None, count(0.0))[1][0] == "reading boot.pcapng: 1M\x1b[K"


def test_a_file_that_is_read_at_once_needs_none() -> None:
    assert read_all(4 * MEBIBYTE, count(0.0, 0.01))[1] == []


def test_a_name_stays_on_its_line() -> None:
    (first, *_) = read_all(None, count(0.0), "a\x1b[2J" + "b" * 200)[1]

    assert len(first.removesuffix("\x1b[K")) < 80
    assert "\x1b[2J" not in first


@pytest.mark.parametrize("command", ["lint", "summary", "state"])
def test_a_terminal_gets_the_same_lines_after_it(command: str, tmp_path: Path) -> None:
    """As the file is short, there is nothing to be seen of it."""
    talk = Conversation()
    talk.front_end("SET_OWNER")
    (tmp_path / "talk.pcapng").write_bytes(talk.capture())
    words = [sys.executable, "-m", "vudissect", command, "talk.pcapng"]
    terminal, theirs = pty.openpty()

    piped = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=TIMEOUT)
    shown = subprocess.run(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, timeout=TIMEOUT)
    os.close(theirs)
    os.close(terminal)

    assert (shown.returncode, shown.stdout) == (piped.returncode, piped.stdout)


def test_it_says_how_many_captures_are_exported() -> None:
    terminal = io.StringIO()
    seconds = count(0.0, 0.5)
    done = CaptureCount("exported", 3, terminal, lambda: next(seconds))
    for messages in (10, 20, 30):
        done.add(messages)
    done.clear()

    assert terminal.getvalue().split("\r")[1:] == [
        "exported 2 of 3 captures, 30 messages\x1b[K",
        "exported 3 of 3 captures, 60 messages\x1b[K",
        "\x1b[K",
    ]
