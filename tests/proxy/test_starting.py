"""`vuproxy` under difficult conditions: closed streams, few descriptors, no room. A failed start keeps old captures."""

import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from tests.proxy.harness import PATIENCE, Listener
from tests.proxy.test_program import converse, quiet
from vudissect.capture.reader import read_capture

VUPROXY = [sys.executable, "-m", "vudissect.cli.vuproxy"]
# Ends at once because there is no back-end; by then everything was opened. The front-end at a is in the capture.
NO_BACK_END = ["--front-end", "connect:a", "--back-end", "connect:b", "--wait", "0"]
OLD = b"the old capture"


def shell(folder: Path, redirections: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it with a front-end that waits in vain."""
    _front_end = Listener(folder / "a")
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *VUPROXY, *NO_BACK_END, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def limited(folder: Path, limit: int, value: int, *options: str) -> subprocess.CompletedProcess[str]:
    def set_limit() -> None:
        resource.setrlimit(limit, (value, value))

    _front_end = Listener(folder / "a")
    return subprocess.run(
        [*VUPROXY, *NO_BACK_END, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        preexec_fn=set_limit,
    )


def is_whole(capture: bytes) -> bool:
    # The front-end came, and was turned away.
    return len(list(read_capture(BytesIO(capture)))) == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_the_capture_is_complete_whatever_streams_are_closed(tmp_path: Path, closed: str) -> None:
    done = shell(tmp_path, closed, "-q", "-w", "capture")

    assert (done.returncode, done.stdout) == (2, "")
    assert is_whole((tmp_path / "capture").read_bytes())


def test_no_text_is_mixed_into_the_capture_on_standard_output(tmp_path: Path) -> None:
    done = shell(tmp_path, "2>&- >capture", "-w", "-")

    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    assert is_whole((tmp_path / "capture").read_bytes())


@pytest.mark.parametrize(
    ("redirections", "options", "complaint"),
    [
        (">&-", ["-w", "capture"], "standard output is closed, so there is nowhere to write the live transcript"),
        (">&-", ["-w", "-"], "standard output: cannot be written: Bad file descriptor"),
        ("2>&1", ["-w", "-"], "standard output: cannot be written: messages are also written there"),
        ("2>>capture", ["-w", "capture"], "capture: cannot be written: messages are also written there"),
        (">>capture", ["-w", "capture"], "capture: cannot be written: messages are also written there"),
        ("", ["-w", "/dev/stdout"], "/dev/stdout: cannot be written: messages are also written there"),
        (">/dev/null", ["-w", "link"], "link: cannot be written: is a symbolic link, which is not followed"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, redirections: str, options: list[str], complaint: str) -> None:
    (tmp_path / "capture").write_bytes(b"")
    (tmp_path / "link").symlink_to("capture")
    done = shell(tmp_path, redirections, *options)

    (line,) = (done.stderr + done.stdout + (tmp_path / "capture").read_text()).splitlines()
    assert done.returncode == 2
    assert complaint in line


def test_a_pipe_named_standard_output(tmp_path: Path) -> None:
    _front_end = Listener(tmp_path / "a")
    done = subprocess.run(
        [*VUPROXY, *NO_BACK_END, "-q", "-w", "/dev/stdout"], cwd=tmp_path, capture_output=True, timeout=PATIENCE
    )

    assert is_whole(done.stdout)


@pytest.mark.parametrize("number", [7, 11, 12, 26, 27, 28, 29, 40])
def test_few_descriptors(tmp_path: Path, number: int) -> None:
    (tmp_path / "capture").write_bytes(OLD)
    done = limited(tmp_path, resource.RLIMIT_NOFILE, number, "-w", "capture")

    assert done.returncode == 2
    if "nobody listens" in done.stderr:
        assert number > 24
        assert is_whole((tmp_path / "capture").read_bytes())
    else:
        assert done.stderr == f"vuproxy: Too many open files: the limit is {number}: raise it with ulimit -n 256\n"
        assert (tmp_path / "capture").read_bytes() == OLD


@pytest.mark.parametrize("size", [0, 100])
@pytest.mark.parametrize("options", [["-w", "capture"], ["-q", "-w", "capture"], ["-q"]])
def test_no_room_to_start(tmp_path: Path, size: int, options: list[str]) -> None:
    (tmp_path / "capture").write_bytes(OLD)
    done = limited(tmp_path, resource.RLIMIT_FSIZE, size, *options)

    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written: File too large: name another file with -w" in line
    assert (tmp_path / "capture").read_bytes() == OLD
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a", tmp_path / "capture"]


def test_no_room_to_start_on_standard_output(tmp_path: Path) -> None:
    with open(tmp_path / "capture", "wb") as stdout:
        done = subprocess.run(
            [*VUPROXY, *NO_BACK_END, "-w", "-"],
            cwd=tmp_path,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        )

    assert (done.returncode, (tmp_path / "capture").read_bytes()) == (2, b"")
    assert "standard output: cannot be written: File too large" in done.stderr


@pytest.mark.parametrize(
    "spoil", [lambda folder: (folder / "a").touch(), lambda folder: (folder / "a").symlink_to("nowhere")]
)
def test_an_unusable_address_does_not_cost_an_older_capture(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path)
    (tmp_path / "capture").write_bytes(OLD)
    command = [*VUPROXY, "--listen", "a", "--connect", "b", "-w", "capture"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=PATIENCE)

    assert (done.returncode, (tmp_path / "capture").read_bytes()) == (2, OLD)


def test_the_capture_that_replaces_another_is_private(tmp_path: Path) -> None:
    (tmp_path / "capture.pcapng").write_bytes(OLD)
    (tmp_path / "capture.pcapng").chmod(0o666)
    with quiet(tmp_path) as program:
        converse(*program.connect())
        program.end()
    assert len(program.messages()) == 2
    assert stat.S_IMODE((tmp_path / "capture.pcapng").stat().st_mode) == 0o600


@pytest.mark.parametrize(("stream", "options"), [(1, []), (2, ["-q"])])
def test_no_text_is_written_into_a_connection(tmp_path: Path, stream: int, options: list[str]) -> None:
    front, given = socket.socketpair()
    Listener(tmp_path / "back.sock")
    process = subprocess.Popen(
        [*VUPROXY, "--front-end", f"connect:fd:{stream}", "--back-end", "connect:back.sock", *options],
        cwd=tmp_path,
        stdout=given.fileno() if stream == 1 else subprocess.PIPE,
        stderr=given.fileno() if stream == 2 else subprocess.PIPE,
        text=True,
    )
    given.close()
    output, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 2
    assert (front.recv(100), output or "") == (b"", "")
    # If standard error is the connection, there is nowhere to report it.
    said = "vuproxy: fd:1 is standard output, which the proxy writes to: use another number, such as fd:3\n"
    assert errors == (said if stream == 1 else None)
    assert not list(tmp_path.glob("*.pcapng"))


def test_standard_input_can_be_a_connection(tmp_path: Path) -> None:
    front, given = socket.socketpair()
    back = Listener(tmp_path / "back.sock")
    process = subprocess.Popen(
        [*VUPROXY, "--front-end", "connect:fd:0", "--back-end", "connect:back.sock", "-w", os.devnull],
        cwd=tmp_path,
        stdin=given.fileno(),
        stdout=subprocess.PIPE,
    )
    given.close()
    front.sendall(b"anything")
    front.close()

    assert back.accept().receive_to_end() == b"anything"
    output, _ = process.communicate(timeout=PATIENCE)
    assert b"MALFORMED" in output
