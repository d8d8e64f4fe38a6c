"""`vudissect rings` as a user calls it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import run
from vudissect.conversation.text import read_conversation

CAPTURES = Path(__file__).parents[2] / "captures"
SEEN = """\
--- connection front-end=qemu-kvm back-end=vhost-user-blk
F>B SET_VRING_NUM ring 0 num 8
F>B SET_VRING_NUM ring 1 num 8
--- ring 0: avail 4, used 0, 4 pending, kick 1, call 0
--- ring 1: avail 7, used 7, 0 pending, kick 0, call 1
... 2s
--- ring 0: avail 4, used 0, 4 pending for 2s, kick 1 unread for 2s, call 0; oldest: request 0: flush
"""
HEADING = "   frame     seconds  avail   used  pending                   kick  call"


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    path = tmp_path / "seen.pcapng"
    path.write_bytes(read_conversation(SEEN).capture())
    return path


def test_each_ring_over_time(seen: Path) -> None:
    result = run("rings", str(seen))

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode().splitlines() == [
        "ring 0 of connection 1 (blk request), size 8",
        HEADING,
        "       4    0.003000      4      0        4 ########             1     0",
        "       6    2.005000      4      0        4 ########             1     0",
        "                     request 0: flush, waiting for 2.000s",
        "                     the kick has been unread for 2.000s",
        "",
        "ring 1 of connection 1 (blk request), size 8",
        HEADING,
        "       5    0.004000      7      7        0                      0     1",
    ]


def test_a_packed_ring_shows_the_wrap_counter_of_the_driver(tmp_path: Path) -> None:
    path = tmp_path / "packed.pcapng"
    session = "F>B SET_VRING_NUM ring 0 num 256\n--- ring 0: avail 208 wrap 0, 0 pending, kick 0\n"
    path.write_bytes(read_conversation(session).capture())

    *_, row = run("rings", str(path)).stdout.decode().splitlines()

    assert row.split() == ["2", "0.001000", "208", "w0", "-", "0", "0", "-"]


def test_one_ring(seen: Path) -> None:
    result = run("rings", "--ring", "1", str(seen))

    assert [line for line in result.stdout.decode().splitlines() if line.startswith("ring ")] == [
        "ring 1 of connection 1 (blk request), size 8"
    ]


def test_the_device_can_be_named(seen: Path) -> None:
    result = run("rings", "--device", "vsock", "--ring", "1", str(seen))

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"ring 1 of connection 1 (vsock tx), size 8\n")


def test_a_ring_that_was_not_seen(seen: Path) -> None:
    result = run("rings", "--ring", "7", str(seen))

    assert (result.returncode, result.stdout) == (0, b"")
    assert result.stderr.endswith(f"{seen}: nothing was seen in ring 7; rings seen: 0, 1\n".encode())


def test_a_capture_without_a_look_into_rings() -> None:
    result = run("rings", str(CAPTURES / "qemu-7.2-blk-qsd.pcapng"))

    assert (result.returncode, result.stdout) == (0, b"")
    assert result.stderr.endswith(b"nothing was seen in its rings: record it with vuproxy --rings\n")


def test_a_capture_without_messages(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcapng"
    path.write_bytes(read_conversation("--- note: nothing\n").capture())

    assert run("rings", str(path)).returncode == 2


def followed(path: Path, *shown: str, lines: int = 24) -> list[str]:
    """The screen of a terminal with so many lines, once all this is shown."""
    main, side = pty.openpty()
    command = [sys.executable, "-m", "vudissect", "rings", "--follow", str(path)]
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm", "LINES": str(lines), "COLUMNS": "80"}
    with subprocess.Popen(command, stdout=side, env=environment) as following:
        os.close(side)
        screen = ""
        while not all(text in screen for text in shown):
            screen = (screen + os.read(main, 4096).decode().replace("\r\n", "\n")).rpartition("\x1b[2J")[2]
        following.terminate()
    os.close(main)
    return screen.splitlines()


def test_the_rings_as_they_are_now(seen: Path) -> None:
    assert followed(seen, "request 0: flush", "     0     1\n") == [
        HEADING,
        "ring 0 of connection 1 (blk request), size 8",
        "       6    2.005000      4      0        4 ########             1     0",
        "                     request 0: flush, waiting for 2.000s",
        "                     the kick has been unread for 2.000s",
        "ring 1 of connection 1 (blk request), size 8",
        "       5    0.004000      7      7        0                      0     1",
    ]


def test_more_rings_than_the_terminal_has_lines(seen: Path) -> None:
    *_, last = followed(seen, "request 0: flush", " more lines\n", lines=6)

    assert last == "... 3 more lines"


def test_the_rings_of_a_connection_that_was_closed(tmp_path: Path) -> None:
    path = tmp_path / "closed.pcapng"
    path.write_bytes(read_conversation(f"{SEEN}--- closed by the back-end (eof)\n").capture())

    titles = [f"ring {ring} of connection 1 (blk request), size 8, closed" for ring in (0, 1)]

    screen = followed(path, *titles)

    assert [line for line in screen if line.startswith("ring ")] == titles


def test_in_a_pipe_the_rings_are_followed_line_by_line(seen: Path) -> None:
    command = [sys.executable, "-m", "vudissect", "rings", "--follow", str(seen)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        lines = [following.stdout.readline().strip() for _ in range(4)]
        following.terminate()

    assert [line[:6] for line in lines] == ["ring 0", "4    0", "ring 1", "5    0"]


def test_a_process_that_is_gone(seen: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
        result = run("rings", "--pid", str(gone.pid), str(seen))

    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.endswith(f"--pid {gone.pid}: No such process\n".encode())


def test_a_process_of_a_session_that_is_over() -> None:
    result = run("rings", "--pid", str(os.getpid()), str(CAPTURES / "qemu-7.2-blk-qsd.pcapng"))

    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.endswith(b"no connection is open at its end: the session is over\n")
