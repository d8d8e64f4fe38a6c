"""`vudissect check --scenario` between the reference peers."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.proxy.harness import NUMBERS, message
from vudissect.analysis import findings
from vudissect.host.python import python_module
from vudissect.lint.finding import Blame
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Channel

_PEER = [sys.executable, "-S", "-E", str(Path(__file__).with_name("peer.py"))]
# Without protocol features a ring is enabled from its start.
_FEATURES = VIRTIO_FEATURES.mask("VERSION_1").to_bytes(8, sys.byteorder)
_RING = bytes(4)
_SET_UP = (
    (message("GET_FEATURES"), False, len(message("GET_FEATURES", _FEATURES))),
    (message("SET_OWNER"), False, 0),
    (message("SET_FEATURES", _FEATURES), False, 0),
    (message("SET_VRING_NUM", _RING + (64).to_bytes(4, sys.byteorder)), False, 0),
    (message("SET_VRING_KICK", _RING + _RING), True, 0),
)
_ANSWERS = {NUMBERS[Channel.MAIN, "GET_FEATURES"]: message("GET_FEATURES", _FEATURES, flags=5)}
_STEPS = ["GET_FEATURES", "SET_OWNER", "SET_FEATURES", "SET_VRING_NUM ring 0", "SET_VRING_KICK ring 0"]
CONNECTS, LISTENS, IS_GIVEN = ("connect", "{socket}"), ("listen", "{socket}"), ("fd", "{fd}")
# No run takes so long, on any machine.
_FOREVER = 500.0


def command(*arguments: str) -> list[str]:
    return [*python_module("vudissect"), "check", *arguments]


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=_FOREVER)


def peers(
    folder: Path, flaw: str = "", front_end: tuple[str, str] = CONNECTS, back_end: tuple[str, str] = LISTENS
) -> list[str]:
    """The front-end, and a back-end with a flaw; and how each of them gets to a connection."""
    script = folder / "script.json"
    messages = [(data.hex(), has_descriptor, answer) for data, has_descriptor, answer in _SET_UP]
    script.write_text(json.dumps([messages, {number: data.hex() for number, data in _ANSWERS.items()}]))
    front_words = [*_PEER, "front-end", *front_end, str(script)]
    return ["--with", shlex.join(front_words), "--", *_PEER, "back-end", *back_end, str(script), flaw]


def scenario(folder: Path, *lines: str) -> list[str]:
    (folder / "mine.txt").write_text("\n".join(lines))
    return ["--scenario", str(folder / "mine.txt")]


def test_the_back_end_is_killed_at_each_message(tmp_path: Path) -> None:
    results, captures = tmp_path / "results.json", tmp_path / "captures"

    done = check(
        *("--scenario", "kill-back-end", "--json", str(results), "--captures", str(captures)), *peers(tmp_path)
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    written = json.loads(results.read_text())
    (played,) = written["scenarios"]
    assert written["set_up"] == [run["at"] for run in played["runs"]] == _STEPS
    assert {run["outcome"] for run in played["runs"]} == {"works again"}
    assert f"kill-back-end: {len(_STEPS)} works again" in done.stdout
    for run in played["runs"]:
        found = findings(run["capture"]).findings
        assert [finding.rule for finding in found if finding.rule.startswith("VU-FLT")] == ["VU-FLT-05"]
        assert Blame.BACK_END not in {finding.blame for finding in found}


def test_sessions_that_end_too_early_in_a_row(tmp_path: Path) -> None:
    done = check("--scenario", "reconnect-storm", *peers(tmp_path))

    assert done.returncode == 0, done.stdout
    assert "reconnect-storm: 4 works again" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 80


@pytest.mark.parametrize(
    ("flaw", "outcome", "why"),
    [
        ("dies", "crashed", "the back-end was ended by SIGKILL"),
        ("does not notice", "hung", "the front-end waits for the answer to GET_FEATURES"),
    ],
    ids=["dies when the front-end is gone", "does not notice that it is gone"],
)
def test_a_back_end_that_does_not_survive_a_front_end_is_found(
    flaw: str, outcome: str, why: str, tmp_path: Path
) -> None:
    options = ("--timeout", "3", "--json", str(tmp_path / "results.json"))

    # The flaw is there from the start: what comes before the fault does not show it.
    done = check(
        *scenario(tmp_path, "SET_FEATURES : close front-end after ; count=1"), *options, *peers(tmp_path, flaw)
    )

    assert (done.returncode, done.stderr) == (1, "")
    (run,) = json.loads((tmp_path / "results.json").read_text())["scenarios"][0]["runs"]
    assert run["outcome"] == outcome
    assert why in run["why"]


@pytest.mark.parametrize(
    ("options", "front_end", "back_end"),
    [
        (["--client"], CONNECTS, CONNECTS),
        (["--server"], LISTENS, LISTENS),
        (["--client", "--server"], LISTENS, CONNECTS),
        ([], CONNECTS, IS_GIVEN),
        ([], IS_GIVEN, LISTENS),
    ],
    ids=["both connect", "both listen", "the front-end listens", "back-end with a descriptor", "front-end with one"],
)
def test_however_the_programs_meet(
    options: list[str], front_end: tuple[str, str], back_end: tuple[str, str], tmp_path: Path
) -> None:
    fault = scenario(tmp_path, "SET_FEATURES : close front-end after ; count=1")

    done = check(*fault, *options, *peers(tmp_path, "serves one", front_end, back_end))

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "mine: 1 works again" in done.stdout


def test_the_results_are_written_for_programs_for_ci_and_for_people(tmp_path: Path) -> None:
    fault = scenario(tmp_path, "SET_VRING_NUM : close front-end after ; count=1")
    files = {name: tmp_path / name for name in ("json", "junit", "html", "captures")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]

    done = check(*fault, *options, *peers(tmp_path, "dies"))

    assert (done.returncode, done.stderr) == (1, "")
    result = json.loads(files["json"].read_text())
    (run,) = result["scenarios"][0]["runs"]
    assert "fault 1 injected" in run["transcript"][run["fault"] - 1]
    assert run["last_words"] == {"front-end": [], "back-end": []}
    (suite,) = ElementTree.parse(files["junit"]).getroot()
    assert (suite.get("name"), suite.get("failures")) == ("mine", "1")
    (failure,) = suite.iter("failure")
    assert (failure.get("type"), run["why"] in str(failure.get("message"))) == ("crashed", True)
    index = (files["html"] / "index.html").read_text()
    assert ("0 of 1 work again" in index, 'href="mine.html"' in index) == (True, True)
    page = (files["html"] / "mine.html").read_text()
    (capture,) = re.findall(r'href="([^"]*\.pcapng)"', page)
    assert (files["html"] / capture).samefile(files["captures"] / "mine.pcapng")
    assert 'class="here"' in page


def test_the_pages_have_a_matrix_with_a_link_to_each_run(tmp_path: Path) -> None:
    html = tmp_path / "html"

    done = check("--scenario", "reconnect-storm", "--html", str(html), *peers(tmp_path))

    assert done.returncode == 0, done.stdout
    links = re.findall(r'href="([^":]*)"', (html / "index.html").read_text())
    names = ["reconnect-storm-1", "reconnect-storm-3", "reconnect-storm-5", "reconnect-storm-5-refused"]
    assert links == [f"{name}.html" for name in names]
    assert {path.name for path in html.iterdir()} == {"index.html", *links}
    nexts = re.findall(r'href="([^"]*)" rel="next"', "".join((html / name).read_text() for name in links))
    assert nexts == links[1:]


def test_two_files_with_the_same_name_are_two_scenarios(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    names = [scenario(folder, "SET_OWNER : delay 1ms") for folder in (tmp_path, tmp_path / "other")]

    done = check(*names[0], *names[1], "--list")

    assert [line for line in done.stdout.splitlines() if not line.startswith(" ")] == ["mine", "mine-2"]


def test_a_fault_that_is_never_injected_is_reported(tmp_path: Path) -> None:
    done = check(*scenario(tmp_path, "POSTCOPY_END : drop"), "--timeout", "1", *peers(tmp_path))

    assert done.returncode == 1
    assert "mine: 1 not injected" in done.stdout


def test_the_names_are_listed_and_nothing_is_started() -> None:
    done = check("--scenario", "all", "--list")

    names = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert (done.returncode, names) == (0, ["kill-back-end", "kill-front-end", "reconnect-storm"])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--scenario", "nope"], "nope: neither a scenario nor a file; the scenarios are kill-back-end"),
        (["--scenario", "all"], "say how to start the back-end, after --"),
        (["--scenario", "all", "--", "x", "{socket}"], "say how to start the front-end: --with"),
        (
            ["--scenario", "all", "--with", "x", "--", "x", "{socket}"],
            "write {socket} where the front-end wants its path",
        ),
        (["--scenario", "all", "--with", "'x", "--", "x", "{socket}"], "no closing quotation"),
        (["--scenario=all", "--with", "x {socket}", "--", "no-such", "{socket}"], "no-such: cannot be started"),
    ],
    ids=["no scenario", "no back-end", "no front-end", "no socket", "no words", "no program"],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: list[str], line: str) -> None:
    done = check(*arguments)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert line in done.stderr


def test_a_file_with_a_mistake_is_explained_with_line_and_column(tmp_path: Path) -> None:
    done = check(*scenario(tmp_path, "SET_OWNER : drop", "SET_OWNER : dorp"), *peers(tmp_path))

    assert done.returncode == 2
    assert "line 2, column 13" in done.stderr


def test_a_front_end_that_ends_without_a_fault_is_reported_with_its_words(tmp_path: Path) -> None:
    words = ["--with", "sh -c 'echo I need a disk; exit 3' {socket}", *peers(tmp_path)[2:]]

    done = check("--scenario", "all", *words)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "the front-end exited with status 3; the last words of the front-end: I need a disk" in done.stderr


def test_one_that_is_interrupted_writes_what_it_has_and_leaves_nothing(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    # The path of a socket is short.
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))
    words = command("--scenario", "kill-back-end", "--json", str(results), *peers(tmp_path))
    environment = {**os.environ, "TMPDIR": str(temporary)}

    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, env=environment) as running:
        assert running.stdout is not None
        while "works again" not in running.stdout.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        running.stdout.read()
    written = json.loads(results.read_text())

    assert (running.returncode, written["complete"]) == (128 + signal.SIGTERM, False)
    assert len(written["scenarios"][0]["runs"]) >= 1
    temporary.rmdir()  # nothing is in it
    assert str(tmp_path) not in "".join(
        path.read_text(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )
