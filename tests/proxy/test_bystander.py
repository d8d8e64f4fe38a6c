"""`vuproxy wrap`, with the recorder beside a program that somebody else has started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proxy.harness import PATIENCE, Listener
from tests.proxy.test_run import CALLS, FEATURES, FRONT_END, disk
from vudissect.analysis import read
from vudissect.capture.record import RecordKind
from vudissect.launch.wrapper import wrapper

VUPROXY = Path(sys.executable).with_name("vuproxy")


def start(
    folder: Path, emulator: str, *words: str, options: str = "", pass_fds: tuple[int, ...] = ()
) -> "subprocess.Popen[str]":
    """Start the wrapper of an emulator with a disk at `a.sock`; the capture is in the folder."""
    (folder / "wrap.conf").write_text(f"FOLDER={folder}\nOPTIONS={options}\n")
    for name, text in (
        ("emulator", f"#!{sys.executable}\n{emulator}"),
        ("wrapped", wrapper(str(folder / "emulator"), str(VUPROXY), str(folder / "wrap.conf"))),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    command = [str(folder / "wrapped"), *words, *disk("disk0", "a.sock"), "-name", "guest=vm"]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )


@pytest.fixture
def back(tmp_path: Path) -> Listener:
    """A back-end that listens at `a.sock`."""
    return Listener(tmp_path / "a.sock")


def test_the_process_is_the_emulator_and_its_socket_is_recorded(tmp_path: Path, back: Listener) -> None:
    process = start(tmp_path, f"{FRONT_END}\nimport os\nprint(os.getpid())\nsys.exit(7)", FEATURES.hex())
    received = back.accept().receive_all(len(FEATURES))
    output, errors = process.communicate(timeout=PATIENCE)

    assert (received, process.returncode, output) == (FEATURES, 7, f"{process.pid}\n"), errors
    records = list(read(tmp_path / "vm.pcapng"))
    opened = [(each.device, each.device_id) for each in records if each.kind is RecordKind.CONNECTION_OPENED]
    assert opened == [("blk", "disk0")]
    assert [each.data for each in records if each.kind is RecordKind.MESSAGE] == [FEATURES]
    (note,) = [each.details for each in records if each.kind is RecordKind.NOTE]
    assert note == {"text": "emulator has ended"}


def test_the_emulator_goes_on_if_the_recorder_is_killed(tmp_path: Path, back: Listener) -> None:
    process = start(tmp_path, CALLS)
    peer = back.accept()
    peer.receive()
    os.kill(recorder_of(process.pid), signal.SIGKILL)

    assert back.accept().receive_all(6) == b"second"
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def recorder_of(pid: int) -> int:
    """The process of the recorder beside a process."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--beside" in words and words[words.index(b"--beside") + 1] == str(pid).encode():
            return int(entry.parent.name)
    raise AssertionError("there is no recorder")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("-b nothing", "Invalid value for '-b'"),
        ("--metrics nowhere", "--metrics nowhere: write unix:PATH"),
        ("--log -", "--log - takes the standard error of COMMAND"),
    ],
)
def test_the_emulator_starts_although_the_options_are_wrong(
    tmp_path: Path, back: Listener, options: str, line: str
) -> None:
    process = start(tmp_path, FRONT_END, FEATURES.hex(), options=options)
    received = back.accept().receive_all(len(FEATURES))
    _, errors = process.communicate(timeout=PATIENCE)

    assert (received, process.returncode) == (FEATURES, 0)
    (reported,) = [each for each in errors.splitlines() if "is recorded, and the command uses" not in each]
    assert line in reported
    assert not list(tmp_path.glob("*.pcapng"))


def test_a_process_that_is_not_there(tmp_path: Path) -> None:
    words = [str(VUPROXY), "run", "--beside", "4194304", "--", "true", *disk("d", "a.sock")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "vuproxy: --beside 4194304: nothing can be recorded: No such process"


# Closes a descriptor that it has inherited, and waits.
CLOSES = """
import os, sys
os.close(int(sys.argv[1]))
sys.stdin.read()
"""


@pytest.mark.usefixtures("back")
def test_the_recorder_keeps_nothing_that_is_for_the_emulator(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = start(tmp_path, CLOSES, str(writing), pass_fds=(writing,))
    os.close(writing)
    ended = os.read(reading, 1)
    process.communicate("", timeout=PATIENCE)

    assert ended == b""
    os.close(reading)
