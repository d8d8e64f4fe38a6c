"""`vuproxy run`: the command keeps its terminal, signals and exit status, and every socket is recorded."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from time import sleep

import pytest

from tests.proxy.harness import PATIENCE, Listener, Peer, call, eventually, message
from tests.proxy.test_program import call_when_listening
from vudissect.bundle.read import Bundle
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


@pytest.mark.usefixtures("hangups_end_programs")
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
    front = call_when_listening(tmp_path / "dev.sock")
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


INHERITED = """
import os, sys
print(os.read(int(sys.argv[1]), 100).decode())
"""


def test_descriptors_are_passed_on_to_the_command_and_nobody_else(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"inherited")
    command = [*RUN, "--metrics", "textfile:x.prom", "--", *python(INHERITED, str(reading), *disk("d", "a.sock"))]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, pass_fds=[reading, writing])
    os.close(writing)
    output, _ = process.communicate(timeout=PATIENCE)

    assert output == "inherited\n"
    # Its processes have all ended or closed it.
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_an_inherited_socket_is_recorded(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    words = python(FRONT_END, FEATURES.hex(), "-chardev", f"socket,id=c,fd={fd}", "-device", "vhost-user-fs,chardev=c")
    process = subprocess.Popen([*RUN, "--", *words], cwd=tmp_path, pass_fds=[fd])
    theirs.close()
    back = Peer(ours)

    assert back.receive_all(len(FEATURES)) == FEATURES
    # Nobody else has it.
    assert back.at_end()
    assert process.wait(PATIENCE) == 0


def test_the_command_goes_on_when_its_only_socket_is_closed(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    goes_on = f"{FRONT_END}\npeer.recv(1)\npeer.close()\nimport time\ntime.sleep(1)\nsys.exit(7)"
    words = python(goes_on, FEATURES.hex(), "-chardev", f"socket,id=c,fd={fd}", "-device", "vhost-user-fs,chardev=c")
    process = subprocess.Popen([*RUN, "--", *words], cwd=tmp_path, pass_fds=[fd])
    theirs.close()
    back = Peer(ours)
    back.receive_all(len(FEATURES))
    back.close()

    assert process.wait(PATIENCE) == 7


CALL = """
import os, socket, sys, time
path = next(word for word in sys.argv if word.startswith("socket,")).split("path=")[1]
def call():
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    return peer
"""
CALLS = f"""{CALL}
first = call()
first.sendall(bytes(12))
while first.recv(1):
    pass
time.sleep(0.2)
for _ in range(100):
    try:
        call().sendall(b"second")
        break
    except OSError:
        time.sleep(0.05)
"""


def test_a_front_end_reaches_its_back_end_after_vuproxy_was_killed(tmp_path: Path, back: Listener) -> None:
    process = run(tmp_path, *python(CALLS, *disk("d", "a.sock")))
    peer = back.accept()
    peer.receive()
    process.kill()

    assert back.accept().receive_all(6) == b"second"
    process.communicate(timeout=PATIENCE)


STAYS = """
import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
while True:
    peer = listening.accept()[0]
    if peer.recv(100) == b"end":
        break
"""


def test_a_back_end_is_reached_by_its_front_end_after_vuproxy_was_killed(tmp_path: Path) -> None:
    process = run(tmp_path, *python(STAYS, "{socket}"), options=("--listen", "dev.sock"))
    front = call_when_listening(tmp_path / "dev.sock")
    front.send(FEATURES)
    eventually(front.all_was_read)
    process.kill()
    assert front.at_end()
    eventually((tmp_path / "dev.sock").is_symlink)

    call(tmp_path / "dev.sock").send(b"end")
    process.communicate(timeout=PATIENCE)


BACKGROUND = f"""{CALL}
first = call()
if os.fork():
    os._exit(0)
for fd in (0, 1, 2):
    os.close(fd)
while first.recv(1):
    pass
while True:
    try:
        peer = call()
        peer.sendall(b"again")
        if peer.recv(1):
            break
    except OSError:
        pass
"""


def test_a_program_in_the_background_reaches_its_back_end_again(tmp_path: Path, back: Listener) -> None:
    process = run(tmp_path, *python(BACKGROUND, *disk("d", "a.sock")))
    peer = back.accept()
    eventually(lambda: any(record.kind is RecordKind.NOTE for record in records(tmp_path)))
    # A moment later it is certain that something is still there.
    sleep(3)
    peer.close()
    process.communicate(timeout=PATIENCE)
    again = back.accept()

    assert process.returncode == 0
    assert again.receive_all(5) == b"again"
    again.send(b"!")


def bundle(folder: Path) -> Bundle:
    """The only bundle, opened."""
    (path,) = folder.glob("run_bundle_*.zip")
    return Bundle(str(path))


def test_a_command_that_fails_makes_a_bundle_with_its_log_and_command_line(tmp_path: Path) -> None:
    words = python("import sys; sys.exit('vhost initialization failed')", *disk("d", "a.sock"))
    process = run(tmp_path, *words, options=("--bundle-on", "exit", "--log", "-", "--no-redaction"))
    _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 1
    assert "vhost initialization failed\n" in errors
    with bundle(tmp_path) as opened:
        name = Path(sys.executable).name
        assert opened.about["reason"] == f"{name} has ended with exit status 1"
        assert opened.text("command/log.txt") == "vhost initialization failed\n"
        assert "vhost-user-blk-pci,id=d,chardev=c-d" in opened.text("command/cmdline.txt")


def test_another_status_makes_none(tmp_path: Path) -> None:
    process = run(tmp_path, *python("", *disk("d", "a.sock")), options=("--bundle-on", "exit:3", "--bundle-on", "exit"))
    process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert not list(tmp_path.glob("*.zip"))


LOGS = """
import sys
print("vhost: backend is gone", file=sys.stderr, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("to_file", [False, True], ids=["its standard error", "a file"])
def test_a_line_of_its_log_makes_a_bundle(tmp_path: Path, to_file: bool) -> None:
    words = python(LOGS, *disk("d", "a.sock"))
    if to_file:
        words = ["sh", "-c", 'exec "$@" 2>my.log', "sh", *words]
    log = "my.log" if to_file else "-"
    process = run(tmp_path, *words, options=("--bundle-on", "log:backend is (gone|dead)", "--log", log))
    eventually(lambda: bool(list(tmp_path.glob("*.zip"))))
    process.communicate("", timeout=PATIENCE)

    assert process.returncode == 0
    with bundle(tmp_path) as opened:
        assert opened.about["reason"] == "the log has: vhost: backend is gone"


def test_the_log_is_found_where_standard_error_is_a_file(tmp_path: Path) -> None:
    words = [*RUN, "--bundle-on", "log:gone", "--", *python(LOGS, *disk("d", "a.sock"))]
    with (tmp_path / "qemu.log").open("w") as log:
        subprocess.run(words, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=log, timeout=PATIENCE, check=True)

    assert "vhost: backend is gone\n" in (tmp_path / "qemu.log").read_text()
    with bundle(tmp_path) as opened:
        assert "vhost: backend is gone\n" in opened.text("command/log.txt")


def test_sigusr1_makes_a_bundle_and_is_not_passed_on(tmp_path: Path) -> None:
    words = python(STATUS.format("sys.exit(7)"), *disk("d", "a.sock"))
    process = run(tmp_path, *words, options=("--bundle-on", "signal"))
    eventually(lambda: bool(list(tmp_path.glob("run.pcapng"))) and signal_is_caught(process.pid, signal.SIGUSR1))
    process.send_signal(signal.SIGUSR1)
    eventually(lambda: bool(list(tmp_path.glob("*.zip"))))
    process.communicate("", timeout=PATIENCE)

    assert process.returncode == 7


def signal_is_caught(pid: int, number: int) -> bool:
    (caught,) = (
        int(line.split()[1], 16)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("SigCgt:")
    )
    return bool(caught >> (number - 1) & 1)


def test_its_recording_has_the_options_of_the_plain_command(tmp_path: Path, back: Listener) -> None:
    words = python(FRONT_END, FEATURES.hex(), *disk("disk0", "a.sock"))
    options = ("-b", "filesize:1M", "--metrics", "textfile:run.prom", "--rings", "--snaplen", "12")
    process = run(tmp_path, *words, options=options)
    back.accept().receive_all(len(FEATURES))
    _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, errors
    (capture,) = tmp_path.glob("run_00001_*.pcapng")
    assert str(capture.name) in errors
    metrics = (tmp_path / "run.prom").read_text()
    assert 'vudissect_connections_total{socket="a.sock",device="disk0"} 1\n' in metrics


def test_a_socket_that_is_not_in_the_command_line(tmp_path: Path, back: Listener) -> None:
    options = ("--front-end", "listen:front.sock", "--back-end", "connect:a.sock")
    process = run(tmp_path, *python("input()"), options=options)
    front = call_when_listening(tmp_path / "front.sock")
    front.send(FEATURES)

    assert back.accept().receive_all(len(FEATURES)) == FEATURES
    front.close()
    process.communicate("\n", timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--log", "-"], "--log is for bundles: use it with --bundle-on or --control"),
        (["--front-end", "listen:a"], "--front-end and --back-end belong together"),
        (["--bundle-on", "log:("], "--bundle-on 'log:(': not a regular expression"),
        (["-w", "-"], "-w -: standard output belongs to the command: name a file"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: list[str], reason: str) -> None:
    process = run(tmp_path, "true", options=tuple(options))
    _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors.count("\n")) == (2, 1)
    assert errors.startswith(f"vuproxy: {reason}")
