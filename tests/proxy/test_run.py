"""`vuproxy run`: the command keeps its terminal, signals and exit status, and every socket is recorded."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.proxy.harness import PATIENCE, Listener, call, eventually, message
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record, RecordKind

RUN = [sys.executable, "-m", "vudissect.cli.vuproxy", "run", "-w", "run.pcapng"]
FEATURES = message("GET_FEATURES")
# A front-end whose arguments are addresses of character devices, as QEMU's: it sends one message to each.
FRONT_END = """
import socket, sys
for word in sys.argv:
    if word.startswith("socket,"):
        path = dict(part.split("=") for part in word.split(",")[1:])["path"]
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        peer.sendall(bytes.fromhex(sys.argv[1]))
"""


def run(folder: Path, *words: str, options: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*RUN, *options, "--", *words],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def python(program: str, *words: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(program), *words]


def disk(name: str, path: str) -> list[str]:
    device = f"vhost-user-blk-pci,id={name},chardev=c-{name}"
    return ["-chardev", f"socket,id=c-{name},path={path}", "-device", device]


def records(folder: Path) -> list[Record]:
    with open_capture(os.fspath(folder / "run.pcapng")) as stream:
        return list(read_capture(stream))


@pytest.fixture
def back(tmp_path: Path) -> Listener:
    """A back-end that listens at `a.sock`."""
    return Listener(tmp_path / "a.sock")


def test_each_socket_is_recorded_under_the_id_of_its_device(tmp_path: Path, back: Listener) -> None:
    other = Listener(tmp_path / "b.sock")
    words = python(FRONT_END, FEATURES.hex(), *disk("disk0", "a.sock"), *disk("disk1", "b.sock"))

    process = run(tmp_path, *words)
    peers = [back.accept(), other.accept()]
    received = [peer.receive_all(len(FEATURES)) for peer in peers]
    _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, received) == (0, [FEATURES, FEATURES]), errors
    found = records(tmp_path)
    names = {each.connection: each.device_id for each in found if each.kind is RecordKind.CONNECTION_OPENED}
    sent = {names[each.connection] for each in found if each.kind is RecordKind.MESSAGE}
    assert sent == {"disk0", "disk1"}


STATUS = "import os, signal, sys; sys.stdin.read(); print('out'); {}"


@pytest.mark.parametrize(
    ("end", "status"),
    [("sys.exit(7)", 7), ("os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL)],
    ids=["exits", "killed"],
)
def test_the_status_is_that_of_the_command(tmp_path: Path, end: str, status: int) -> None:
    process = run(tmp_path, *python(STATUS.format(end), *disk("d", "a.sock")))
    process.communicate("", timeout=PATIENCE)

    assert process.returncode == status


def test_standard_input_and_output_are_those_of_the_command(tmp_path: Path) -> None:
    process = run(tmp_path, *python("print(input())", *disk("d", "a.sock")))

    assert process.communicate("hello\n", timeout=PATIENCE)[0] == "hello\n"


WAITS = """
import signal, sys
signal.signal(signal.{0}, lambda *_: sys.exit(9))
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_signal_is_passed_on(tmp_path: Path, name: str) -> None:
    process = run(tmp_path, *python(WAITS.format(name), *disk("d", "a.sock")))
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.Signals[name])
    process.communicate(timeout=PATIENCE)

    assert process.returncode == 9


SHOWN = """
import os, resource, signal
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], signal.getsignal(signal.SIGTTOU) is signal.SIG_DFL)
print(*sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")))
"""


def test_the_command_finds_what_it_would_find_without_it(tmp_path: Path) -> None:
    words = python(SHOWN, *disk("d", "a.sock"))
    limited = ["sh", "-c", 'ulimit -Sn 300; exec "$@"', "sh"]
    alone = subprocess.run([*limited, *words], capture_output=True, text=True, timeout=PATIENCE)
    wrapped = subprocess.run([*limited, *RUN, "--", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert wrapped.stdout == alone.stdout


BACK_END = """
import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
peer = listening.accept()[0]
sys.exit(len(peer.recv(100)))
"""


def test_any_back_end_is_recorded_where_its_socket_is_a_placeholder(tmp_path: Path) -> None:
    process = run(tmp_path, *python(BACK_END, "{socket}"), options=("--listen", "dev.sock"))
    eventually(lambda: (tmp_path / "dev.sock").exists())
    front = call(tmp_path / "dev.sock")
    front.send(FEATURES)
    process.communicate(timeout=PATIENCE)

    assert process.returncode == len(FEATURES)
    assert not (tmp_path / "dev.sock").exists()


def test_a_dry_run_prints_the_command_and_starts_nothing(tmp_path: Path) -> None:
    process = run(tmp_path, *python("raise SystemExit(9)", *disk("d", "a.sock")), options=("--dry-run",))
    output, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert "path=/" in output
    assert errors.startswith("vuproxy: d (blk): a.sock is recorded, and the command uses ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["true"], "true: no vhost-user socket was found in its command line"),
        (["no-such-program"], "no-such-program: there is no such program"),
        (["true", "{socket}"], "{socket} needs either --listen or --connect"),
        (["true", "-readconfig", "no.cfg"], "no.cfg: cannot be read: No such file or directory"),
        (
            ["true", "-chardev", "null,id=c", "-device", "vhost-user-fs-pci,id=d,chardev=c"],
            "d cannot be recorded: its character device is not a socket but null",
        ),
    ],
)
def test_what_cannot_be_recorded_is_one_line(tmp_path: Path, words: list[str], reason: str) -> None:
    process = run(tmp_path, *words)
    _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors.count("\n")) == (2, 1)
    assert errors.startswith(f"vuproxy: {reason}")


def test_the_existing_options_are_not_those_of_run(tmp_path: Path) -> None:
    command = [*RUN[:3], "-w", "x.pcapng", "run", "--", "true"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)

    assert (done.returncode, done.stderr) == (2, "vuproxy: options before run are not for it: write them after it\n")
