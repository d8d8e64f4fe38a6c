"""Every capture that a command writes is private, whole, and not where a link leads."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.harness import Listener
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.conversation.text import read_conversation

TIMEOUT = 30
TALK = "F>B GET_FEATURES\n"
OLD = b"the old capture"

VUDISSECT = [sys.executable, "-c", "from vudissect.cli.main import main; main(prog_name='vudissect')"]
SCAPY = [
    sys.executable,
    "-c",
    "import sys; from vudissect.scapy import *; wrpcap(sys.argv[2], rdpcap('talk.pcapng'))",
]
COMMANDS = {
    "demo": [*VUDISSECT, "demo", "-w"],
    "compose": [*VUDISSECT, "compose", "talk.vu", "-w"],
    "replay": [
        *VUDISSECT,
        "replay",
        "talk.pcapng",
        "--as",
        "front-end",
        "--connect",
        "back.sock",
        "--timeout",
        "0.2",
        "-w",
    ],
    "scapy": [*SCAPY, "-w"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: with something to compose and to replay, and a back-end that says nothing."""
    monkeypatch.chdir(tmp_path)
    Path("talk.vu").write_text(TALK)
    Path("talk.pcapng").write_bytes(read_conversation(TALK).capture())
    back_end = Listener("back.sock")
    before = os.umask(0)
    yield tmp_path
    os.umask(before)
    back_end.close()


def run(command: str, path: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMANDS[command], path], capture_output=True, timeout=TIMEOUT)


def records(path: str) -> int:
    with open_capture(path) as stream:
        return len(list(read_capture(stream)))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("is_there", [False, True])
def test_it_is_private(command: str, is_there: bool) -> None:
    if is_there:
        Path("capture").write_bytes(OLD)
        Path("capture").chmod(0o666)
    run(command, "capture")

    assert stat.S_IMODE(os.stat("capture").st_mode) == 0o600
    assert records("capture")


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_not_written_through_a_link(command: str) -> None:
    Path("target").write_bytes(OLD)
    Path("capture").symlink_to("target")
    done = run(command, "capture")

    assert done.returncode in (1, 2)
    assert b"is a symbolic link, which is not followed" in done.stderr.splitlines()[-1]
    assert Path("target").read_bytes() == OLD


@pytest.mark.parametrize("command", COMMANDS)
def test_a_named_pipe_and_a_device_can_be_written(command: str) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    run(command, "pipe")
    assert os.read(reader, 4) == b"\n\r\r\n"
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)

    if command != "replay":
        assert run(command, os.devnull).returncode == 0


@pytest.mark.parametrize("command", ["demo", "replay"])
def test_the_text_for_people_is_not_mixed_into_it(command: str) -> None:
    done = run(command, "/dev/stdout")

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"vudissect: /dev/stdout: messages are also written there\n".replace(b"vudissect", b"-c")


def test_compose_writes_to_standard_output() -> None:
    assert run("compose", "/dev/stdout").stdout[:4] == b"\n\r\r\n"


def test_a_replay_that_cannot_begin_leaves_the_old_capture() -> None:
    Path("capture").write_bytes(OLD)
    done = subprocess.run(
        [*VUDISSECT, "replay", "talk.pcapng", "--as", "back-end", "--listen", "talk.vu", "-w", "capture"],
        capture_output=True,
        timeout=TIMEOUT,
    )

    assert done.returncode == 2
    assert Path("capture").read_bytes() == OLD


def test_the_interface_of_wireshark_writes_to_named_pipes_only() -> None:
    Path("capture").write_bytes(OLD)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "vudissect.cli.extcap", "--capture", "--extcap-interface", "vhost-user"),
            *("--fifo", "capture", "--front-end", "front.sock", "--back-end", "back.sock"),
        ],
        capture_output=True,
        timeout=TIMEOUT,
    )

    assert done.returncode == 2
    assert b"capture: not a named pipe" in done.stderr
    assert Path("capture").read_bytes() == OLD


def test_sockets_are_not_captures() -> None:
    socket.socket(socket.AF_UNIX).bind("capture")
    done = run("compose", "capture")

    assert done.stderr == b"-c: capture: No such device or address\n"
