"""`vudissect fuzz --front-end` with a front-end that has a fault: it is found, made short, and can be seen again."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.proxy.harness import eventually
from vudissect.analysis import Analysis
from vudissect.capture.reader import read_capture
from vudissect.fuzz.steps import Message, Wait, read_steps
from vudissect.host.python import python_module
from vudissect.protocol.model import Side

_FUZZ = [*python_module("vudissect"), "fuzz", "--front-end"]
_PROGRAM = Path(__file__).with_name("front_end.py")
_SEED = """
F>B GET_FEATURES
B>F GET_FEATURES features=0x40000000
F>B GET_QUEUE_NUM
B>F GET_QUEUE_NUM queues=5000
--- closed by back-end
c2 F>B GET_FEATURES
c2 B>F GET_FEATURES features=0x40000000
"""
_LEAKS = """
F>B GET_FEATURES
B>F GET_FEATURES features=0x40000000 evt#1
F>B GET_QUEUE_NUM
B>F GET_QUEUE_NUM queues=2
"""


def front_end(fault: str) -> list[str]:
    return [sys.executable, "-S", str(_PROGRAM), "{socket}", fault]


def fuzz(folder: Path, fault: str, *options: str) -> "subprocess.CompletedProcess[str]":
    words = [*_FUZZ, "--timeout", "3", *options, "--", *front_end(fault)]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=280)


def again(folder: Path, fault: str, talk: str, *options: str) -> str:
    """What comes of this conversation."""
    (folder / "talk.vu").write_text(talk)
    return fuzz(folder, fault, "--again", "talk.vu", *options).stdout


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the finding about a front-end is that does not survive so many queues."""
    folder = tmp_path_factory.mktemp("crashed")
    (folder / "seeds").mkdir()
    (folder / "seeds" / "one.vu").write_text(_SEED)
    done = fuzz(folder, "crash", "--runs", "3", "--seed-captures", "seeds", "--corpus", "corpus")
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    assert "1 finding" in done.stdout
    return folder


def finding(folder: Path) -> Path:
    (file,) = (folder / "fuzz-findings").glob("crash-sigkill-after-get-queue-num.vu")
    return file


def test_a_planted_crash_is_found_and_made_short(crashed: Path) -> None:
    steps = read_steps(finding(crashed).read_text(), Side.BACK_END)

    assert [type(step) for step in steps] == [Wait, Message]
    assert [step.name for step in steps] == ["GET_QUEUE_NUM", "GET_QUEUE_NUM"]


def test_it_crashes_again(crashed: Path) -> None:
    done = fuzz(crashed, "crash", "--again", str(finding(crashed)))

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("crash: SIGKILL, after GET_QUEUE_NUM;")


def test_it_does_not_crash_without_the_fault(crashed: Path) -> None:
    done = fuzz(crashed, "none", "--again", str(finding(crashed)))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing is wrong;")


def test_a_replay_of_the_capture_ends_it_too(crashed: Path) -> None:
    path = crashed / "socket"
    capture = str(finding(crashed).with_suffix(".pcapng"))
    words = [*python_module("vudissect"), "replay", capture, "--as", "back-end", "--listen", str(path)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as replay:
        eventually(path.exists)
        command = [word.replace("{socket}", str(path)) for word in front_end("crash")]
        assert subprocess.run(command, timeout=60).returncode < 0
        replay.wait(60)


def test_the_capture_has_the_whole_conversation(crashed: Path) -> None:
    with finding(crashed).with_suffix(".pcapng").open("rb") as stream:
        assert Analysis(read_capture(stream)).lint().messages == 4


def test_its_sessions_are_kept_for_the_next_run(crashed: Path) -> None:
    kept = sorted((crashed / "corpus").glob("*.vu"))
    assert kept

    assert all(read_steps(file.read_text(), Side.BACK_END) for file in kept)


def test_one_that_waits_for_an_answer_is_fine(tmp_path: Path) -> None:
    said = again(tmp_path, "none", "F>B GET_FEATURES\n# no answer", "--timeout", "0.1")

    assert said.startswith("nothing is wrong;")


def test_one_that_refuses_and_ends_is_fine(tmp_path: Path) -> None:
    assert again(tmp_path, "once", _SEED).startswith("nothing is wrong;")


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("hang", "hang: it does not end, after GET_QUEUE_NUM;"),
        ("lost", "hang: the next session is refused, after GET_QUEUE_NUM;"),
        ("spin", "spin: the processor is busy, after GET_QUEUE_NUM;"),
    ],
)
def test_one_that_does_nothing_any_more_is_a_finding(fault: str, trouble: str, tmp_path: Path) -> None:
    assert again(tmp_path, fault, "F>B GET_QUEUE_NUM\nB>F GET_QUEUE_NUM queues=5000").startswith(trouble)


def test_descriptors_that_are_left_over_each_time_are_a_finding(tmp_path: Path) -> None:
    assert again(tmp_path, "leak", _LEAKS).startswith("leak: descriptors, of ")


@pytest.mark.parametrize(
    ("options", "command", "error"),
    [
        ((), ["true", "{socket}"], "it ended with status 0 before it could be reached"),
        ((), ["sleep", "1"], "the command names no socket: write {socket} where the front-end wants its path"),
        (("--client",), ["true", "{socket}"], "--client is for back-ends"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    options: tuple[str, ...], command: list[str], error: str, tmp_path: Path
) -> None:
    done = subprocess.run([*_FUZZ, *options, "--", *command], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == 1
