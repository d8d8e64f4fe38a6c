"""`vudissect check --front-end` from outside: how it is used, what is printed and written, what it exits with."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proxy.harness import eventually
from vudissect.analysis import analyse
from vudissect.host.python import python_module

_REFERENCE = [*python_module("vudissect.check.front_end.reference"), "{socket}"]
_PROGRAM = [sys.executable, str(Path(__file__).with_name("program.py"))]
_CHECK = [*python_module("vudissect"), "check", "--front-end"]


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*_CHECK, *arguments], capture_output=True, text=True, timeout=100)


def test_several_front_ends_can_be_started_at_once() -> None:
    done = check("--jobs", "2", "--only", "F-05,F-07", "--", *_REFERENCE)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].endswith(": 2 pass, 0 fail, 0 crash")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "say how to start the front-end, after --"),
        (["--connect", "x.sock"], "--connect is for back-ends: a front-end is started for each case"),
        (["--client", "--", "x", "{socket}"], "--client is for back-ends: without --server, a front-end connects to"),
        (["--server", "--", *_PROGRAM, "never", "{socket}"], "its last words: I need a kernel"),
        (["--", "no-such-program", "{socket}"], "no-such-program: cannot be started: No such file or directory"),
        (["--", "my-vmm"], "the command names no socket: write {socket} where the front-end wants its path"),
        (["--", *_PROGRAM, "never", "{socket}"], "before it could be reached; its last words: I need a kernel"),
        (["--", *_PROGRAM, "silent", "{socket}"], "the front-end sends nothing; its last words: it wrote nothing"),
        (["--", *_PROGRAM, "asks nothing", "{socket}"], "the front-end sends nothing, and "),
        (["--only", "RNG-01", "--", "x", "{socket}"], "'RNG-01' selects no case"),
    ],
    ids=[
        "nothing",
        "connect",
        "client",
        "ends before it listens",
        "no program",
        "no socket",
        "ends",
        "silent",
        "hangs up",
        "case of the others",
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: list[str], line: str) -> None:
    done = check(*arguments)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert line in done.stderr


def test_one_that_listens_is_reached_and_reached_again() -> None:
    done = check("--server", "--only", "F-00,F-05,F-76", "--", *_PROGRAM, "listens", "{socket}")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].endswith(": 3 pass, 0 fail, 0 crash")


def test_one_that_listens_and_accepts_nobody_has_not_connected_again() -> None:
    done = check("-v", "--server", "--only", "F-76", "--", *_PROGRAM, "listens once", "{socket}")

    first, second, *_ = done.stdout.splitlines()
    assert first.startswith("F-76  unimplemented")
    assert "the front-end does not connect again" in second


def test_one_that_ends_by_itself_comes_to_its_end_as_before() -> None:
    done = check("-v", "--only", "F-00,F-05,F-72", "--", *_PROGRAM, "short", "{socket}")

    assert done.stdout.splitlines()[:3] == [
        "F-00  pass           a back-end that is right in everything",
        "F-05  pass           GET_FEATURES is answered with 4 bytes",
        "F-72  unimplemented  the back-end hangs up while everything runs",
    ]


def test_one_that_ends_by_itself_and_only_by_itself_is_not_wedged_because_it_waits() -> None:
    done = check("-v", "--only", "F-09", "--", *_PROGRAM, "deaf", "{socket}")

    assert done.stdout.splitlines()[0] == "F-09  non-strict     GET_FEATURES is never answered"


def test_one_that_never_ends_or_starts_a_ring_is_not_to_blame_in_a_case() -> None:
    done = check("-v", "--only", "F-00,F-25", "--", *_PROGRAM, "stubborn", "{socket}")

    assert done.stdout.splitlines()[:3] == [
        "F-00  pass           a back-end that is right in everything",
        "F-25  unimplemented  the guest memory is refused",
        "                     the front-end does not send SET_MEM_TABLE or ADD_MEM_REG",
    ]


def test_everything_that_can_be_written(tmp_path: Path) -> None:
    results, known, captures = tmp_path / "results.json", tmp_path / "known.json", tmp_path / "captures"

    check(
        *("--only", "F-05", "--json", str(results), "--captures", str(captures), "--write-expect", str(known)),
        *("--name", "my vmm 1.2", "--html", str(tmp_path / "pages"), "--", *_REFERENCE),
    )

    written = json.loads(results.read_text())
    assert (written["peer"]["role"], written["summary"]) == ("front-end", "my vmm 1.2: 1 pass, 0 fail, 0 crash")
    assert written["cases"][0]["run_again"].startswith("vudissect check --front-end --only F-05 -- ")
    assert json.loads(known.read_text()) == {"front_end": "my vmm 1.2", "cases": {"F-05": "pass"}}
    assert "GET_FEATURES" in [event.name for event, _ in analyse(captures / "F-05.pcapng")]
    assert "my vmm 1.2" in (tmp_path / "pages" / "index.html").read_text()


def test_an_interrupted_run_has_the_results_so_far_and_leaves_nothing(tmp_path: Path) -> None:
    known, pids = tmp_path / "known.json", tmp_path / "pids"
    started = ["sh", "-c", 'echo $$ >> "$1"; exec "$0" -P -m vudissect.check.front_end.reference "$2"']
    command = ["--only", "F-05,F-40", "-v", "--write-expect", str(known), "--", *started, sys.executable, str(pids)]
    with subprocess.Popen([*_CHECK, *command, "{socket}"], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("F-05  pass")
        running.send_signal(signal.SIGTERM)
        running.wait()

    assert list(json.loads(known.read_text())["cases"]) == ["F-05"]
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids.read_text().split()))


def test_cases_are_listed_without_a_front_end() -> None:
    done = check("--list", "--only", "rule:VU-CFG-02")

    assert [line.split()[0] for line in done.stdout.splitlines() if line[:1] != " "] == ["F-16", "F-17", "F-18", "F-51"]


def test_the_self_test_is_that_of_front_ends() -> None:
    done = check("--self-test", "--only", "F-05")

    assert done.stdout == "1 cases: the reference front-end passes 1, 1 find their fault\n"
