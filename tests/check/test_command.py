"""`vudissect check` from outside: how a back-end is reached, what is printed and written, what it exits with."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.report.examples import case_document, document
from vudissect.analysis import analyse
from vudissect.host.python import python_module

_PROGRAM = [sys.executable, str(Path(__file__).with_name("program.py"))]
_GOOD = "RNG-01,NEG-07"


def check(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python_module("vudissect"), "check", *arguments], capture_output=True, text=True, timeout=100, cwd=cwd
    )


@pytest.mark.parametrize(
    ("options", "way", "where"),
    [
        ((), "listen", "{socket}"),
        ((), "once", "{socket}"),
        (("--client",), "client", "{socket}"),
        ((), "fd", "{fd}"),
        (("--jobs", "2"), "listen", "{socket}"),
    ],
    ids=["listens", "ends with its first connection", "is a client", "gets a descriptor", "two at once"],
)
def test_a_back_end_is_checked_however_it_wants_its_socket(options: tuple[str, ...], way: str, where: str) -> None:
    done = check(*options, "--only", _GOOD, "--", *_PROGRAM, way, where)

    assert (done.returncode, done.stdout.splitlines()[0][-24:]) == (0, ": 2 pass, 0 fail, 0 crash"[-24:]), done.stderr


def test_one_that_serves_a_single_connection_lacks_what_needs_several() -> None:
    done = check("--only", "FRM-16", "--", *_PROGRAM, "once", "{socket}")

    assert "1 unimplemented" in done.stdout


@pytest.mark.parametrize(
    ("way", "cases", "count"),
    [("polls later", "RNG-2[1-3],RNG-4[7-9],RNG-5[0-3]", 10), ("polls while rings run", "RNG-22,RNG-40", 2)],
)
def test_one_that_polls_does_not_spin_even_if_it_begins_with_that_later(way: str, cases: str, count: int) -> None:
    done = check("--only", cases, "--timeout", "5", "--", *_PROGRAM, way, "{socket}")

    assert f"{count} pass, 0 fail" in done.stdout


def test_a_device_that_is_named_is_judged_as_one_of_its_type(tmp_path: Path) -> None:
    """Nothing that this back-end sends shows that it is a disk, and its configuration space does not end."""
    results = tmp_path / "results"
    how = ("--device", "blk", "--timeout", "0.5")

    done = check(
        *(*how, "--only", "CFG-04,CFG-07,CFG-11", "--json", str(results)),
        *("--", *_PROGRAM, "hides what it is", "{socket}"),
    )

    assert (done.stderr, "3 pass, 0 fail" in done.stdout) == ("", True), done.stdout
    again = json.loads(results.read_text())["cases"][0]["run_again"]
    assert again.startswith("vudissect check --device blk --timeout 0.5 --only CFG-04 -- ")


def test_a_back_end_that_runs_already_is_checked(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    running = subprocess.Popen([*_PROGRAM, "listen", path])
    try:
        while not Path(path).exists():
            assert running.poll() is None
        done = check("--connect", path, "--only", _GOOD)
    finally:
        running.terminate()
        running.wait()

    assert "2 pass" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "say how to start the back-end, after --, or where it listens: --connect SOCKET"),
        (["--", "no-such-program", "{socket}"], "no-such-program: cannot be started: No such file or directory"),
        (["--", "my-backend"], "the command names no socket: write {socket} where the back-end wants its path"),
        (["--", "sh", "-c", "echo I need a disk; exit 3", "{socket}"], "its last words: I need a disk"),
        (["--server", "--", "x", "{socket}"], "--server is for front-ends: without --client, a back-end listens at"),
        (["--only", "XYZ-01"], "'XYZ-01' selects no case"),
        (["--expect", "/nothing/there", "--", "x", "{socket}"], "/nothing/there: No such file or directory"),
        (["--connect", "/nothing/there"], "the back-end does not answer: no connection: No such file or directory"),
    ],
    ids=["nothing", "no program", "no socket", "ends at once", "for the others", "no case", "no file", "nobody there"],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: list[str], line: str) -> None:
    done = check(*arguments)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert line in done.stderr


def test_a_known_failure_does_not_fail_in_a_junit_report_either(tmp_path: Path) -> None:
    known, report = tmp_path / "known.json", tmp_path / "report.xml"
    options = ("--only", "LIF-07", "--timeout", "0.2", "--junit", str(report))
    back_end = ("--", *_PROGRAM, "stubborn", "{socket}")

    done = check(*options, "--write-expect", str(known), *back_end)
    new = [each.tag for each in ElementTree.parse(report).getroot().iter() if each.get("message")]
    again = check(*options, "--expect", str(known), *back_end)
    old = [each for each in ElementTree.parse(report).getroot().iter() if each.get("message")]

    assert (done.returncode, new) == (1, ["failure"]), done.stdout
    assert (again.returncode, [each.tag for each in old]) == (0, ["skipped"]), again.stdout
    assert str(old[0].get("message")).startswith("known ")


def test_known_results_are_no_failures(tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    known.write_text(json.dumps({"cases": {"RNG-01": "fail"}}))

    done = check("--only", "RNG-01", "--expect", str(known), "--", *_PROGRAM, "listen", "{socket}")

    assert "better than expected: RNG-01: pass, expected fail" in done.stdout


def test_everything_that_can_be_written(tmp_path: Path) -> None:
    results, report = tmp_path / "results.json", tmp_path / "report.xml"
    known, captures = tmp_path / "known.json", tmp_path / "captures"

    check(
        *("--only", "RNG-02", "--json", str(results), "--junit", str(report), "--captures", str(captures)),
        *("--write-expect", str(known), "--name", "my disk 1.2", "--", *_PROGRAM, "listen", "{socket}"),
    )

    assert json.loads(results.read_text())["summary"] == "my disk 1.2: 1 pass, 0 fail, 0 crash"
    assert [case.get("name") for case in ElementTree.parse(report).iter("testcase")] == ["RNG-02 SET_VRING_NUM 0"]
    assert json.loads(known.read_text()) == {"back_end": "my disk 1.2", "cases": {"RNG-02": "pass"}}
    assert "SET_VRING_NUM" in [event.name for event, _ in analyse(captures / "RNG-02.pcapng")]


def test_pages_lead_to_the_captures(tmp_path: Path) -> None:
    pages, captures = tmp_path / "pages" / "here", tmp_path / "captures of today"

    check(
        *("--only", "RNG-02", "--html", str(pages), "--captures", str(captures)),
        *("--", *_PROGRAM, "listen", "{socket}"),
    )

    assert sorted(page.name for page in pages.iterdir()) == ["RNG-02.html", "index.html"]
    assert 'href="../../captures%20of%20today/RNG-02.pcapng"' in (pages / "RNG-02.html").read_text()


def test_results_of_several_are_put_side_by_side(tmp_path: Path) -> None:
    for name in ("one", "two"):
        check(
            *("--only", "RNG-02", "--name", name, "--peer-version", "1.2", "--json", str(tmp_path / name)),
            *("--", *_PROGRAM, "listen", "{socket}"),
        )

    done = check("matrix", str(tmp_path / "one"), str(tmp_path / "two"), "--html", str(tmp_path / "pages"))

    assert done.stdout == "A  one 1.2: 1 pass, 0 fail, 0 crash\nB  two 1.2: 1 pass, 0 fail, 0 crash\n"
    assert (tmp_path / "pages" / "two-1.2" / "RNG-02.html").exists()


@pytest.mark.parametrize(
    ("contents", "line"),
    [
        (None, "results.json: No such file or directory"),
        (b'{"format": "vudissect-ch', "results.json: not a file of results, as vudissect check --json makes it"),
        (b"\x7fELF\x00\xff", "results.json: not a file of results, as vudissect check --json makes it"),
        (b'{"format": "vudissect-check", "version": 1}', "results.json: peer is missing"),
        (gzip.compress(b"{}" * 100)[:-20], "results.json: cannot be decompressed: "),
        (b"\x1f\x8b\x08 and then", "results.json: cannot be decompressed: "),
    ],
    ids=["missing", "cut", "something else", "damaged", "cut and compressed", "damaged and compressed"],
)
def test_a_file_that_is_not_of_results_gets_one_line(tmp_path: Path, contents: bytes | None, line: str) -> None:
    if contents is not None:
        (tmp_path / "results.json").write_bytes(contents)

    done = check("matrix", "results.json", cwd=tmp_path)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert line in done.stderr


def test_results_may_be_compressed(tmp_path: Path) -> None:
    (tmp_path / "results.json.gz").write_bytes(gzip.compress(json.dumps(document([case_document()])).encode()))

    done = check("matrix", "results.json.gz", cwd=tmp_path)

    assert done.stdout.splitlines()[0] == "A  my-disk 1.2: 0 pass, 1 fail, 0 crash", done.stderr


def test_what_is_not_offered_is_skipped_in_a_junit_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"

    check("--only", "LIF-05", "--junit", str(report), "--", *_PROGRAM, "listen", "{socket}")

    assert [each.get("message") for each in ElementTree.parse(report).iter("skipped")] == [
        "skip: RESET_DEVICE is offered"
    ]


def test_cases_are_listed_without_a_back_end() -> None:
    done = check("--list", "--only", "NEG-0[1-3]")

    assert [line.split()[0] for line in done.stdout.splitlines() if line[:1] != " "] == ["NEG-01", "NEG-02", "NEG-03"]
