"""However a run ends, nothing that it started stays, and what was found so far is written."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.proxy.harness import eventually
from vudissect.check.apart import Served
from vudissect.check.link import Clock
from vudissect.check.process import runs
from vudissect.check.program import Dialling, Handed, ProgramError, Started
from vudissect.check.runner import Options, Runner
from vudissect.host.python import python_module

_PROGRAM = [sys.executable, str(Path(__file__).with_name("program.py"))]
_CHECK = [*python_module("vudissect"), "check"]
_CONNECTS_TWICE = """
import socket, sys, time
socks = [socket.socket(socket.AF_UNIX) for _ in range(2)]
for sock in socks:
    sock.connect(sys.argv[1])
print("twice", flush=True)
time.sleep(1000)
"""
_PROGRAM_THAT_CONNECTS_TWICE = [sys.executable, "-c", _CONNECTS_TWICE]
_WAITS = ["sh", "-c", "echo I need a disk; exec sleep 1000", "{socket}"]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for temporary files of the suite; its name is in the environment of all that is started."""
    folder = tmp_path / "t"
    folder.mkdir()
    return folder


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def left(temporary: Path) -> list[str]:
    """Processes and files that are still there."""
    found = [str(path) for path in temporary.iterdir()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(temporary).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("way", ["listen", "stubborn", "with a daemon", "stops"])
def test_nothing_stays_whatever_the_back_end_does(way: str, temporary: Path) -> None:
    subprocess.run(
        [*_CHECK, "--only", "RNG-02", "--timeout", "0.2", "--", *_PROGRAM, way, "{socket}"],
        env=environment(temporary),
        stdout=subprocess.DEVNULL,
        timeout=100,
    )

    eventually(lambda: left(temporary) == [])


@pytest.mark.usefixtures("hangups_end_programs")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_was_found_before_an_interruption_is_written(
    number: signal.Signals, jobs: str, temporary: Path, tmp_path: Path
) -> None:
    results, report, pages = tmp_path / "results", tmp_path / "report", tmp_path / "pages"
    running = subprocess.Popen(
        [
            *(*_CHECK, "-v", "--jobs", jobs, "--json", str(results), "--junit", str(report), "--html", str(pages)),
            *("--", *_PROGRAM, "with a daemon", "{socket}"),
        ],
        env=environment(temporary),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    first = running.stdout.readline().split()[0]
    running.send_signal(number)
    output = running.communicate(timeout=100)[0]

    document = json.loads(results.read_text())
    assert (running.returncode, document["complete"]) == (128 + number, False)
    assert "(interrupted)" in output
    assert first in [case["id"] for case in document["cases"]]
    assert len(list(ElementTree.parse(report).iter("testcase"))) == len(document["cases"])
    assert "(interrupted)" in (pages / "index.html").read_text()
    eventually(lambda: left(temporary) == [])


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_output_that_is_full_is_one_line_and_the_results_are_complete(
    jobs: str, temporary: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    options = ["-v", "--jobs", jobs, "--only", "FRM-0*", "--json", str(results)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*_CHECK, *options, "--", *_PROGRAM, "with a daemon", "{socket}"],
            env=environment(temporary),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
        )

    assert (done.returncode, done.stderr) == (2, "vudissect: standard output: No space left on device\n")
    document = json.loads(results.read_text())
    assert (document["complete"], len(document["cases"])) == (True, 9)
    eventually(lambda: left(temporary) == [])


def test_a_reader_that_leaves_changes_neither_the_results_nor_the_verdict(temporary: Path, tmp_path: Path) -> None:
    results, fault = tmp_path / "results", tmp_path / "fault"
    fault.write_text("FRM-07")
    reference = [sys.executable, "-m", "vudissect.check.reference", "{socket}", str(fault)]
    readable, writable = os.pipe()
    os.close(readable)
    done = subprocess.run(
        [*_CHECK, "-v", "--only", "FRM-0*", "--json", str(results), "--", *reference],
        env=environment(temporary),
        stdout=writable,
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
    )
    os.close(writable)

    document = json.loads(results.read_text())
    assert (done.returncode, done.stderr) == (1, "")
    assert (document["complete"], len(document["cases"])) == (True, 9)


def test_a_second_interruption_loses_nothing(temporary: Path, tmp_path: Path) -> None:
    running = subprocess.Popen(
        [*_CHECK, "-v", "--json", str(tmp_path / "results"), "--", *_PROGRAM, "stubborn", "{socket}"],
        env=environment(temporary),
        stdout=subprocess.PIPE,
    )
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    # The back-end does not end by itself, so the suite waits for it.
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=100)

    assert json.loads((tmp_path / "results").read_text())["cases"]
    assert left(temporary) == []


def test_an_interruption_before_the_first_case_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    running = subprocess.Popen(
        [*_CHECK, "--", "sh", "-c", f"echo > {started}; exec sleep 1000", "{socket}"], env=environment(temporary)
    )
    eventually(started.exists)
    running.send_signal(signal.SIGINT)

    assert running.wait(100) == 130
    assert left(temporary) == []


@pytest.mark.parametrize("kind", [Started, Dialling])
def test_a_socket_that_nobody_uses_is_said_with_the_last_words(kind: type[Started]) -> None:
    program = kind(_WAITS, 0.5, Clock())
    try:
        with pytest.raises(ProgramError) as error:
            program.start()
    finally:
        program.close()

    assert str(error.value).endswith(": no connection within 0.5 s; its last words: I need a disk")


def test_connections_of_a_process_that_has_ended_are_not_those_of_the_next_one() -> None:
    program = Dialling([*_PROGRAM_THAT_CONNECTS_TWICE, "{socket}"], 60.0, Clock())
    try:
        program.start()
        eventually(lambda: "twice" in program.output())
        program.stop()
        program.start()

        assert runs(program.peer.pid)
    finally:
        program.close()


def test_a_back_end_that_never_answers_is_said_with_its_last_words() -> None:
    program = Handed(["sh", "-c", "echo I need a disk; exec sleep 1000", "{fd}"], 5.0, Clock())
    try:
        with pytest.raises(ProgramError) as error:
            Runner(program, Options(patience=0.5)).discover()
    finally:
        program.close()

    assert str(error.value) == (
        "the back-end does not answer: no answer to GET_FEATURES within 0.5 s; its last words: I need a disk"
    )


def test_a_back_end_that_ends_later_is_said_with_its_last_words() -> None:
    closes = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.recv(12); sys.exit('I need a disk')"
    program = Handed([sys.executable, "-c", closes, "{fd}"], 5.0, Clock())
    try:
        with pytest.raises(ProgramError) as error:
            Runner(program, Options()).discover()
    finally:
        program.close()

    assert str(error.value).startswith("the back-end does not answer: ")
    assert str(error.value).endswith("its last words: I need a disk")


def test_a_temporary_folder_that_is_too_long_is_said(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()

    done = subprocess.run(
        [*_CHECK, "--client", "--", "my-disk", "{socket}"],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.endswith(": too long for the path of a socket; set TMPDIR to a shorter folder\n")
    assert list(folder.iterdir()) == []


def test_nobody_listens_any_more_when_a_program_was_killed(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    # Its child listens, and a process dies some time after it was killed.
    program = Served(["sh", "-c", f"{shlex.join(_PROGRAM)} listen {{socket}} & wait"], 10.0, Clock())
    program.start()

    program.kill()

    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(program.address.name)
    program.close()
