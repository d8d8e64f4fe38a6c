"""vuproxy in Wireshark's list of interfaces: tshark starts it, records a session, and ends it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import click
import pytest

from tests.proxy.harness import PATIENCE, eventually
from tests.proxy.test_program import call_when_listening
from vudissect.capture.errors import CaptureError
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.cli.extcap import main
from vudissect.replay.demo import BackEnd, front_end
from vudissect.wireshark.extcap import INTERFACE, LAUNCHER, OPTIONS, form, launcher

EXTCAP = [sys.executable, "-m", "vudissect.cli.extcap"]


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*EXTCAP, *arguments], capture_output=True, text=True, timeout=PATIENCE)


class Tshark:
    """tshark with its own configuration, in which the interface is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        extcap = folder / ".config" / "wireshark" / "extcap" / LAUNCHER
        extcap.parent.mkdir(parents=True)
        extcap.write_text(launcher(sys.executable))
        extcap.chmod(0o755)

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        return subprocess.Popen(
            ["tshark", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=PATIENCE)
        return process.returncode, output, errors

    def capturing(self, **options: str) -> list[str]:
        """The arguments for capturing from the interface, with the options of the form as preferences."""
        said = {"frontend": f"{self.folder}/front.sock", "backend": f"{self.folder}/back.sock"} | options
        preferences = [part for name, value in said.items() for part in ("-o", f"extcap.vhost_user.{name}:{value}")]
        return ["-i", INTERFACE, *preferences, "-w", "capture.pcapng"]

    def records(self) -> list[Record]:
        with open_capture(str(self.folder / "capture.pcapng")) as stream:
            return list(read_capture(stream))


@pytest.fixture
def tshark(tmp_path: Path) -> Tshark:
    return Tshark(tmp_path)


@contextmanager
def session(folder: Path) -> Iterator[None]:
    """The demo's session through a proxy that will listen at front.sock; the block runs meanwhile."""
    back_end = Thread(target=BackEnd(folder / "back.sock").serve, daemon=True)
    back_end.start()
    front_end(call_when_listening(folder / "front.sock").socket)
    yield
    back_end.join(PATIENCE)


def test_the_interface_is_in_the_list(tshark: Tshark) -> None:
    _, interfaces, _ = tshark.run("-D")

    assert re.search(r"^\d+\. vhost-user \(vhost-user proxy\)$", interfaces, re.MULTILINE)


def test_its_packets_are_of_the_link_type_of_captures(tshark: Tshark) -> None:
    _, types, errors = tshark.run("-i", INTERFACE, "-L")

    assert "WIRESHARK_UPPER_PDU" in types + errors


def test_tshark_records_a_session_through_it(tshark: Tshark) -> None:
    with tshark.start(*tshark.capturing(once="true")) as process, session(tshark.folder):
        _, errors = process.communicate(timeout=PATIENCE)

    records = tshark.records()
    assert (process.returncode, len(records)) == (0, 41)
    assert "extcap pipe" not in errors
    assert [record.frame for record in records] == list(range(1, 42))


def test_ending_the_capture_ends_the_proxy_cleanly(tshark: Tshark) -> None:
    with tshark.start(*tshark.capturing()) as process, session(tshark.folder):
        eventually(lambda: _written(tshark) == 41)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        eventually(lambda: not (tshark.folder / "front.sock").exists())

    assert (process.returncode, len(tshark.records())) == (0, 41)
    assert "extcap pipe" not in errors


def _written(tshark: Tshark) -> int:
    """How many records are already in a capture that is still being written."""
    try:
        return len(tshark.records())
    except (CaptureError, FileNotFoundError):
        return 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"backend": ""},
            "both sides are required: set the sockets of the front-end and of the back-end in the options",
        ),
        ({"frontend": "/nowhere/front.sock"}, "/nowhere/front.sock: cannot listen there: No such file or directory"),
        (
            {"frontendrole": "connect", "wait": "0", "once": "true"},
            "nobody listens at front.sock: gave up after 0 s (see --wait)",
        ),
    ],
)
def test_errors_are_one_line(tshark: Tshark, options: dict[str, str], reason: str) -> None:
    _, _, errors = tshark.run(*tshark.capturing(**options))

    assert f"Error by extcap pipe: {LAUNCHER}: {reason}" in errors.replace(f"{tshark.folder}/", "")


def test_a_capture_filter_is_refused(tshark: Tshark) -> None:
    _, _, errors = tshark.run(*tshark.capturing(), "-f", "tcp")

    assert "there are no capture filters for vhost-user: leave it empty and use a display filter" in errors


def test_it_ends_when_wireshark_is_gone(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ends = ["--front-end", str(tmp_path / "front.sock"), "--back-end", str(tmp_path / "back.sock")]
    with subprocess.Popen(
        [*EXTCAP, "--capture", "--extcap-interface", INTERFACE, "--fifo", str(fifo), *ends],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with open(fifo, "rb") as reader:
            assert reader.read(4) == b"\n\r\r\n"
        _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors) == (0, "")
    assert not (tmp_path / "front.sock").exists()


def test_the_form_sets_options_of_the_program() -> None:
    known = {name: option for option in main.params if isinstance(option, click.Option) for name in option.opts}

    for option in OPTIONS:
        parameter = known[option.call]
        assert parameter.is_flag == (option.type == "boolflag")
        if option.default:
            assert str(parameter.default).removesuffix(".0") == option.default
        if option.choices:
            assert isinstance(parameter.type, click.Choice)
            assert set(option.choices) == set(parameter.type.choices)


def test_no_text_of_the_form_breaks_its_braces() -> None:
    for line in form().splitlines():
        assert re.fullmatch(r"(arg|value) (\{[a-z]+=[^{}]+\})+", line)


def test_started_by_a_user_it_names_vuproxy() -> None:
    done = ask("--extcap-interface", INTERFACE)

    assert (done.returncode, done.stderr) == (
        2,
        f"{LAUNCHER}: this program is called by Wireshark; to record a session use vuproxy\n",
    )


def test_there_is_no_other_interface() -> None:
    done = ask("--extcap-interface", "eth0", "--extcap-dlts")

    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown interface 'eth0', there is only vhost-user" in done.stderr


def test_a_launcher_finds_python_whatever_its_path(tmp_path: Path) -> None:
    assert "exec '/opt/my python/bin/python3' -P -m vudissect.cli.extcap" in launcher("/opt/my python/bin/python3")


def test_vuproxy_can_be_piped_into_tshark(tshark: Tshark) -> None:
    ends = ["--listen", "front.sock", "--connect", "back.sock"]
    command = [sys.executable, "-m", "vudissect.cli.vuproxy", *ends, "--once", "-w", "-"]
    with subprocess.Popen(command, cwd=tshark.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as proxy:
        assert proxy.stdout is not None
        fields = ["-T", "fields", "-e", "frame.number", "-e", "_ws.col.Source", "-N", "n"]
        with tshark.start("-i", "-", *fields, stdin=proxy.stdout.fileno()) as process, session(tshark.folder):
            proxy.stdout.close()
            rows, _ = process.communicate(timeout=PATIENCE)
        proxy.communicate(timeout=PATIENCE)

    assert rows.splitlines()[:2] == ["1\tvuproxy", "2\tfront-end"]
    assert len(rows.splitlines()) == 41
