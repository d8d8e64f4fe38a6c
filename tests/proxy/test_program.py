"""`vuproxy` as a process: its output, how it ends, and what is left if it ends badly."""

import os
import pty
import resource
import select
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest

from tests.proxy.harness import (
    PATIENCE,
    Listener,
    Peer,
    call,
    eventually,
    in_background,
    message,
    recorded_so_far,
)
from vudissect.capture.errors import TruncatedCapture
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record, RecordKind

FEATURES = message("GET_FEATURES")
REPLY = message("GET_FEATURES", bytes(8), flags=5)
NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))
VUPROXY = [sys.executable, "-m", "vudissect.cli.vuproxy"]


class Program:
    """A `vuproxy` that runs between `front.sock` and `back.sock`, and the back-end that it connects to."""

    def __init__(self, folder: Path, options: tuple[str, ...], stdout: int, stderr: int) -> None:
        self.folder = folder
        self._listener = Listener(folder / "back.sock")
        self.process = subprocess.Popen(
            [*VUPROXY, "--listen", "front.sock", "--connect", "back.sock", *options],
            cwd=folder,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    def connect(self) -> tuple[Peer, Peer]:
        """A front-end and a back-end, connected."""
        front = call_when_listening(self.folder / "front.sock")
        return front, self.accept()

    def accept(self) -> Peer:
        """The next connection at the back-end."""
        return self._listener.accept()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal; returns exit status, standard output and standard error."""
        self.process.send_signal(number)
        return self.outcome()

    def outcome(self) -> tuple[int, str, str]:
        """Wait for its end; returns exit status, standard output and standard error."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, (output or b"").decode(errors="replace"), errors.decode()

    def records(self) -> list[Record]:
        """The records in the capture."""
        with open_capture(os.fspath(self.folder / "capture.pcapng")) as stream:
            return list(read_capture(stream))

    def messages(self) -> list[Record]:
        """The messages in the capture."""
        return [record for record in self.records() if record.kind is RecordKind.MESSAGE]

    def messages_so_far(self) -> list[Record]:
        """The messages in a capture that is being written."""
        records = recorded_so_far(self.folder / "capture.pcapng")
        return [record for record in records if record.kind is RecordKind.MESSAGE]

    def processor_time(self) -> float:
        """Its processor time in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def call_when_listening(path: Path) -> Peer:
    """Connect as soon as possible."""
    peers: list[Peer] = []

    def connected() -> bool:
        with suppress(FileNotFoundError, ConnectionRefusedError):
            peers.append(call(path))
        return bool(peers)

    eventually(connected)
    return peers[0]


@contextmanager
def vuproxy(
    folder: Path, *options: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
) -> Iterator[Program]:
    """A `vuproxy` for the block."""
    program = Program(folder, options, stdout, stderr)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.communicate()


def quiet(folder: Path, *options: str, stderr: int = subprocess.PIPE) -> AbstractContextManager[Program]:
    """A `vuproxy` for the block, without live transcript, that records to capture.pcapng."""
    return vuproxy(folder, "-q", "-w", "capture.pcapng", *options, stderr=stderr)


def converse(front: Peer, back: Peer) -> None:
    """A request and its reply."""
    front.send(FEATURES)
    assert back.receive() == (FEATURES, [])
    back.send(REPLY)
    assert front.receive() == (REPLY, [])


@pytest.mark.usefixtures("hangups_end_programs")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: int) -> None:
    event = os.eventfd(0)
    with quiet(tmp_path) as program:
        front, back = program.connect()
        converse(front, back)
        front.send(KICK, event)
        back.receive()
        status, _, errors = program.end(number)
        assert front.at_end()
        assert back.at_end()
        assert not (tmp_path / "front.sock").exists()
    assert status == 0
    assert "1 connection\n" in errors
    assert "front-end to back-end  2 messages, 1 descriptor, 32 bytes" in errors
    assert "back-end to front-end  1 message, 0 descriptors, 20 bytes" in errors
    assert len(program.messages()) == 3


@pytest.mark.usefixtures("hangups_are_ignored")
def test_under_nohup_it_survives_a_hangup(tmp_path: Path) -> None:
    with quiet(tmp_path) as program:
        front, back = program.connect()
        program.process.send_signal(signal.SIGHUP)
        converse(front, back)
        status, _, _ = program.end()
    assert status == 0
    assert len(program.messages()) == 2


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with quiet(tmp_path) as program:
        program.connect()
        program.process.send_signal(signal.SIGSTOP)
        program.process.send_signal(signal.SIGTERM)
        program.process.send_signal(signal.SIGINT)
        program.process.send_signal(signal.SIGCONT)
        status, _, _ = program.outcome()
    assert status in (0, -signal.SIGINT, -signal.SIGTERM)


def test_once_exits_by_itself(tmp_path: Path) -> None:
    with quiet(tmp_path, "--once") as program:
        front, back = program.connect()
        converse(front, back)
        front.close()
        assert back.at_end()
        status, output, _ = program.outcome()
    assert (status, output) == (0, "")


def test_the_live_transcript(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-w", "capture.pcapng") as program:
        front, back = program.connect()
        converse(front, back)
        status, output, errors = program.end()
    assert status == 0
    transcript, _, summary = output.partition("\nverdict ")
    assert transcript.count("GET_FEATURES") == 2
    assert "next        vudissect show capture.pcapng" in summary
    assert "malformed: 0" in errors


def test_the_device_type_is_recorded_and_shown(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-w", "capture.pcapng", "--device", "virtio-blk") as program:
        converse(*program.connect())
        _, output, _ = program.end()
        (opened,) = [record for record in program.records() if record.kind is RecordKind.CONNECTION_OPENED]
    assert opened.device == "blk"
    assert "device      blk, dialect" in output


def test_a_verbose_live_transcript_shows_more(tmp_path: Path) -> None:
    outputs = []
    for options in ((), ("-v",)):
        with vuproxy(tmp_path, "-w", "capture.pcapng", *options) as program:
            converse(*program.connect())
            outputs.append(program.end()[1])
        (tmp_path / "back.sock").unlink()
    assert len(outputs[1].splitlines()) > len(outputs[0].splitlines())


def test_the_live_transcript_appears_during_the_traffic(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-w", "capture.pcapng") as program:
        front, back = program.connect()
        converse(front, back)
        assert program.process.stdout
        seen = b""
        while seen.count(b"GET_FEATURES") < 2:
            line = program.process.stdout.readline()
            assert line
            seen += line


def test_malformed_traffic_sets_the_exit_status(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-w", "capture.pcapng") as program:
        front, back = program.connect()
        front.send(NUM[:13])
        front.close()
        assert back.receive_to_end() == NUM[:13]
        status, output, errors = program.end()
    assert status == 1
    assert "MALFORMED" in output
    assert "malformed: 1" in errors


def test_a_transcript_reader_that_exits_does_not_matter(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-w", "capture.pcapng") as program:
        assert program.process.stdout
        program.process.stdout.close()
        front, back = program.connect()
        for _ in range(20):
            converse(front, back)
            time.sleep(0.005)
        program.process.stdout = None
        assert program.end()[0] == 0
    assert len(program.messages()) == 40


def test_the_capture_gets_a_generated_name_and_is_private(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-q") as program:
        program.connect()
        _, _, errors = program.end()
    (capture,) = tmp_path.glob("vuproxy-*.pcapng")
    assert f"recording to {capture.name}\n" in errors
    assert stat.S_IMODE(capture.stat().st_mode) == 0o600


def test_an_older_capture_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "capture.pcapng").write_bytes(b"an older capture")
    with quiet(tmp_path) as program:
        converse(*program.connect())
        _, _, errors = program.end()

    assert "vuproxy: recording to capture.pcapng, which is replaced\n" in errors
    assert len(program.messages()) == 2


def test_no_empty_capture_is_left(tmp_path: Path) -> None:
    with quiet(tmp_path) as program:
        eventually((tmp_path / "capture.pcapng").exists)
        status, _, errors = program.end()

    assert status == 0
    assert errors.endswith("vuproxy: 0 connections\nnothing was recorded: capture.pcapng is removed\n")
    assert [path.name for path in tmp_path.iterdir()] == ["back.sock"]


def test_a_peer_that_came_in_vain_is_worth_a_capture(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-q", "-w", "capture.pcapng", "--connect", "nowhere.sock") as program:
        call_when_listening(tmp_path / "front.sock").close()
        # It listens before it opens the capture.
        eventually(
            lambda: (tmp_path / "capture.pcapng").exists() and bool(recorded_so_far(tmp_path / "capture.pcapng"))
        )
        program.end()

    assert program.records()


@pytest.mark.parametrize("name", ["capture.pcapng", "a capture.pcapng"])
def test_the_summary_names_the_capture_and_the_next_command(tmp_path: Path, name: str) -> None:
    with vuproxy(tmp_path, "-q", "-w", name) as program:
        converse(*program.connect())
        _, _, errors = program.end()

    line = errors.splitlines()[-1]
    assert line.endswith(" shows what happened")
    command, subcommand, file = shlex.split(line)[:3]
    assert (command, subcommand, file) == ("vudissect", "summary", name)


def test_it_says_where_it_listens_and_whether_the_other_side_is_there(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with quiet(here) as program:
        eventually((here / "capture.pcapng").exists)
        _, _, errors = program.end()
    with vuproxy(there, "-q", "-w", "capture.pcapng", "--connect", "nowhere.sock") as program:
        eventually((there / "capture.pcapng").exists)
        _, _, without = program.end()

    assert errors.splitlines()[0] == (
        "vuproxy: listening at front.sock for the front-end; the back-end is there at back.sock"
    )
    assert without.splitlines()[0] == (
        "vuproxy: listening at front.sock for the front-end; nobody listens at nowhere.sock yet, where the back-end "
        "should be"
    )


def test_its_socket_has_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    with quiet(tmp_path, "--mode", "660") as program:
        converse(*program.connect())
        assert stat.S_IMODE((tmp_path / "front.sock").stat().st_mode) == 0o660


def test_after_kill_the_capture_can_be_read(tmp_path: Path) -> None:
    with quiet(tmp_path) as program:
        front, back = program.connect()
        for _ in range(10):
            converse(front, back)
        eventually(lambda: len(program.messages_so_far()) == 20)
        program.process.kill()
        program.process.wait()
        assert len(program.messages()) == 20


def test_after_kill_under_load_the_capture_can_be_read(tmp_path: Path) -> None:
    with quiet(tmp_path) as program:
        front, back = program.connect()
        with in_background(lambda: until_refused(front)):
            back.receive_all(len(NUM) * 5000)
            program.process.kill()
            back.socket.close()
        program.process.wait()
        # Drained at least every 100 ms and every 512 messages: all but the last of these are there.
        try:
            messages = []
            with open_capture(str(tmp_path / "capture.pcapng")) as stream:
                for record in read_capture(stream):
                    messages.append(record)
        except TruncatedCapture:
            pass
        assert len(messages) > 1000


def until_refused(peer: Peer) -> None:
    with suppress(OSError):
        while True:
            peer.send(NUM * 10)


def test_the_capture_on_standard_output(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-w", "-") as program:
        front, back = program.connect()
        converse(front, back)
        program.process.send_signal(signal.SIGTERM)
        output, errors = program.process.communicate(timeout=PATIENCE)
    assert b"recording to standard output" in errors
    kinds = [record.kind for record in read_capture(BytesIO(output))]
    assert kinds == [
        RecordKind.CONNECTION_OPENED,
        RecordKind.MESSAGE,
        RecordKind.MESSAGE,
        RecordKind.CONNECTION_CLOSED,
    ]


def test_the_capture_is_not_written_to_a_terminal(tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    with vuproxy(tmp_path, "-w", "-", stdout=terminal) as program:
        status, _, errors = program.outcome()
    assert status == 2
    assert "-w -: standard output is a terminal" in errors
    assert not select.select([ours], [], [], 0)[0]
    os.close(terminal)
    os.close(ours)


def test_a_capture_reader_that_exits_is_a_loss(tmp_path: Path) -> None:
    with vuproxy(tmp_path, "-w", "-") as program:
        front, back = program.connect()
        assert program.process.stdout
        program.process.stdout.close()
        program.process.stdout = None
        for _ in range(10):
            converse(front, back)
        status, _, errors = program.end()
    assert status == 1
    assert "standard output: Broken pipe: the traffic continues" in errors
    assert "LOST" in errors


def test_a_full_disk_does_not_stop_the_traffic(tmp_path: Path) -> None:
    with quiet(tmp_path) as program:
        front, back = program.connect()
        unlimited = resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        for _ in range(100):
            converse(front, back)
        eventually(lambda: (tmp_path / "capture.pcapng").stat().st_size > 3500)
        converse(front, back)
        whole = len(program.messages())
        assert 0 < whole < 100
        # With room again, the number of missing records is where they are missing.
        resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, unlimited)
        converse(front, back)
        eventually(lambda: len(program.messages_so_far()) > whole)
        status, _, errors = program.end()
    assert status == 1
    assert errors.count("capture.pcapng: File too large: the traffic continues") == 1
    gaps = [record for record in program.records() if record.kind is RecordKind.GAP]
    missing = sum(int(record.details["messages"]) for record in gaps)
    assert f"LOST: {missing} records of the capture" in errors
    assert len(program.messages()) == 2 * 102 - missing


def stuck_pipe() -> tuple[int, int]:
    """The ends of a full pipe."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * 4096)
    os.set_blocking(writer, True)
    return reader, writer


def test_standard_error_that_nobody_reads_does_not_stop_the_traffic(tmp_path: Path) -> None:
    event = os.eventfd(0)
    reader, writer = stuck_pipe()
    with quiet(tmp_path, stderr=writer) as program:
        front, back = program.connect()
        converse(front, back)
        in_use = max(int(number) for number in os.listdir(f"/proc/{program.process.pid}/fd")) + 1
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (in_use + 5, in_use + 5))
        for _ in range(200):
            front.send(message("SET_MEM_TABLE", bytes(264)), *[event] * 8)
            for fd in back.receive()[1]:
                os.close(fd)
        converse(front, back)
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(PATIENCE) == 1
    assert len(program.messages()) == 204
    os.close(reader)
    os.close(writer)


def test_standard_output_that_nobody_reads_does_not_stop_the_traffic(tmp_path: Path) -> None:
    reader, writer = stuck_pipe()
    with vuproxy(tmp_path, "-w", "capture.pcapng", stdout=writer) as program:
        front, back = program.connect()
        for _ in range(100):
            converse(front, back)
        status, _, errors = program.end()
    assert status == 0
    assert "1 connection\n" in errors
    assert len(program.messages()) == 200
    os.close(reader)
    os.close(writer)


def test_repeated_losses_are_counted(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with quiet(tmp_path) as program:
        front, back = program.connect()
        converse(front, back)
        in_use = max(int(number) for number in os.listdir(f"/proc/{program.process.pid}/fd")) + 1
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (in_use + 5, in_use + 5))
        for _ in range(99):
            front.send(message("SET_MEM_TABLE", bytes(264)), *[event] * 8)
            for fd in back.receive()[1]:
                os.close(fd)
        _, _, errors = program.end()
    assert errors.count("descriptors of a message are LOST") == 2
    assert "(10 times so far)" in errors
    assert "LOST: descriptors of 99 messages" in errors


def test_descriptors_beyond_the_limit_are_a_visible_loss(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with quiet(tmp_path) as program:
        front, back = program.connect()
        converse(front, back)
        in_use = max(int(number) for number in os.listdir(f"/proc/{program.process.pid}/fd")) + 1
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (in_use + 5, in_use + 5))
        front.send(message("SET_MEM_TABLE", bytes(264)), *[event] * 8)
        _, fds = back.receive()
        assert len(fds) < 8
        status, _, errors = program.end()
    assert status == 1
    assert "descriptors of a message are LOST" in errors
    assert "LOST: descriptors of 1 message" in errors
    *_, record = program.messages()
    assert record.marks & Mark.DESCRIPTORS_LOST
    assert len(record.descriptors) == len(fds)


# With one descriptor left a connection can be accepted, but not made to the back-end.
@pytest.mark.parametrize("left", [0, 1])
def test_connections_beyond_the_limit_wait(tmp_path: Path, left: int) -> None:
    with quiet(tmp_path) as program:
        front, back = program.connect()
        converse(front, back)
        in_use = max(int(number) for number in os.listdir(f"/proc/{program.process.pid}/fd")) + 1
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (in_use + left, in_use + left))
        waiting = call(tmp_path / "front.sock")
        before = program.processor_time()
        time.sleep(0.5)
        assert program.processor_time() - before < 0.25
        converse(front, back)
        front.close()
        assert back.at_end()
        converse(waiting, program.accept())
        status, _, errors = program.end()
    assert status == 0
    assert errors.count("cannot make a connection: Too many open files") == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "both sides are required"),
        (["--listen", "a"], "both sides are required"),
        (["--listen", "a", "--front-end", "listen:b", "--connect", "c"], "use one of them"),
        (["--listen", "a", "--back-end", "dial:b"], "use listen:ADDRESS or connect:ADDRESS"),
        (["--listen", "x" * 200, "--connect", "b"], "at most 107"),
        (["--listen", "nowhere/a", "--connect", "b"], "nowhere/a: cannot listen there: No such file or directory"),
        (["--listen", "file", "--connect", "b"], "file: exists and is not a socket"),
        (["--listen", "a", "--connect", "fd:987"], "fd:987: Bad file descriptor"),
        (["--listen", "a", "--connect", "b", "-w", "nowhere/c"], "nowhere/c: cannot be written: No such file"),
        (["--listen", "a", "--connect", "b", "-w", "/dev/full"], "/dev/full: cannot be written: No space left"),
        (["--listen", "a", "--connect", "b", "-w", "pipe"], "pipe: cannot be written: No such device or address"),
        (["--listen", "a", "--connect", "b", "-w", "link"], "link: cannot be written: is a symbolic link"),
        (["--listen", "a", "--connect", "b", "-w", "/dev/stderr"], "/dev/stderr: cannot be written: messages are"),
        (["--listen", "a", "--connect", "b", "-w", "/dev/fd/3"], "/dev/fd/3: cannot be written: Bad file descriptor"),
        (
            ["--listen", "a", "--connect", "b", "--rings-interval", "2"],
            "--rings-interval has no effect without --rings",
        ),
        (["--listen", "a", "--connect", "./a"], "a and ./a are the same socket"),
        (["--listen", "a", "--back-end", "listen:a"], "a and a are the same socket"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, options: list[str], complaint: str) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("file")
    done = subprocess.run([*VUPROXY, *options], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "a").exists()


def test_an_unknown_option_value_is_an_error(tmp_path: Path) -> None:
    done = subprocess.run([*VUPROXY, "--byte-order", "middle"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "'middle' is not one of auto, little, big" in done.stderr


def test_no_counterpart(tmp_path: Path) -> None:
    done = subprocess.run(
        [*VUPROXY, "--front-end", "connect:a", "--back-end", "connect:b", "--wait", "0.1", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert "nobody listens at a: gave up after 0.1 s (see --wait)" in done.stderr


def test_a_descriptor_is_inherited(tmp_path: Path) -> None:
    front, given = socket.socketpair()
    listener = Listener(tmp_path / "back.sock")
    command = [*VUPROXY, "--front-end", f"connect:fd:{given.fileno()}", "--back-end", "connect:back.sock", "-q"]
    process = subprocess.Popen(command, cwd=tmp_path, pass_fds=[given.fileno()], stderr=subprocess.PIPE)
    given.close()
    back = listener.accept()
    converse(Peer(front), back)
    front.close()
    assert back.at_end()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_without_rings_nothing_is_loaded_that_looks_into_them() -> None:
    script = "import sys, vudissect.cli.vuproxy, vudissect.proxy.program; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    looking = {"vudissect.rings", "vudissect.proxy.rings", "vudissect.session", "vudissect.cli.watch_rings"}
    assert looking.isdisjoint(loaded)
