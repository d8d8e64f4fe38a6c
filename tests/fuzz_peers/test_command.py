"""`vudissect fuzz` with a back-end that has a fault: it is found, made short, and can be seen again in several ways."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.check.test_ending import environment, left, temporary  # noqa: F401 - a fixture
from tests.proxy.harness import eventually
from vudissect.analysis import Analysis
from vudissect.capture.reader import read_capture
from vudissect.conversation.text import read_conversation
from vudissect.fuzz.steps import Message, read_steps
from vudissect.host.python import python_module

_FUZZ = [*python_module("vudissect"), "fuzz"]
_REFERENCE = [*python_module("vudissect.check.reference"), "{socket}"]
_MOST_MESSAGES = 10
_SEED = """
F>B GET_FEATURES
F>B SET_OWNER
F>B SET_FEATURES features=0x140000000
F>B SET_VRING_ENABLE ring 0 enable
F>B SET_VRING_BASE ring 0 num=1
"""


def fuzz(folder: Path, *options: str, command: list[str] | None = None) -> "subprocess.CompletedProcess[str]":
    words = [*_FUZZ, "--timeout", "2", *options, "--", *(command or _REFERENCE)]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=280)


def with_fault(folder: Path, case: str) -> list[str]:
    """The reference, with the fault of this case."""
    (folder / "fault").write_text(case)
    return [*_REFERENCE, str(folder / "fault")]


def seeds(folder: Path) -> str:
    """A folder with a session that the fault ends, so that it does not depend on luck when it is found."""
    (folder / "seeds").mkdir()
    (folder / "seeds" / "one.vu").write_text(_SEED)
    return "seeds"


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the findings about a back-end are that does not survive ENABLE for a ring that has no size."""
    folder = tmp_path_factory.mktemp("crashed")
    done = fuzz(folder, "--runs", "3", "--seed-captures", seeds(folder), command=with_fault(folder, "RNG-59"))
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    assert "1 finding" in done.stdout
    return folder


def finding(folder: Path) -> Path:
    (file,) = (folder / "fuzz-findings").glob("crash-sigkill-after-set-vring-enable.vu")
    return file


def test_a_planted_crash_is_found_and_made_short(crashed: Path) -> None:
    steps = read_steps(finding(crashed).read_text())

    assert sum(isinstance(step, Message) for step in steps) <= _MOST_MESSAGES
    assert steps[-1].name == "SET_VRING_ENABLE"


def test_the_conversation_is_one_for_the_other_commands_too(crashed: Path) -> None:
    assert read_conversation(finding(crashed).read_text()).records


def test_it_crashes_again(crashed: Path) -> None:
    done = fuzz(crashed, "--again", str(finding(crashed)), command=with_fault(crashed, "RNG-59"))

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("crash: SIGKILL, after SET_VRING_ENABLE;")


def test_a_replay_of_the_capture_ends_it_too_and_only_with_the_fault(crashed: Path) -> None:
    outcomes = []
    for number, command in enumerate(([*_REFERENCE], with_fault(crashed, "RNG-59"))):
        path = crashed / f"socket{number}"
        with subprocess.Popen([word.replace("{socket}", str(path)) for word in command]) as process:
            eventually(path.exists)
            capture = str(finding(crashed).with_suffix(".pcapng"))
            replay = ["replay", capture, "--as", "front-end", "--connect", str(path), "--timeout", "2"]
            done = subprocess.run([*python_module("vudissect"), *replay], stdout=subprocess.PIPE, text=True, timeout=60)
            survived = process.poll() is None
            process.terminate()
        outcomes.append((done.returncode, survived))

    assert outcomes == [(1, True), (0, False)]


def test_a_finding_that_cannot_be_written_ends_it(crashed: Path, tmp_path: Path) -> None:
    (tmp_path / "findings" / finding(crashed).name).mkdir(parents=True)
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "one.vu").write_text(finding(crashed).read_text())

    done = fuzz(
        tmp_path,
        *("--runs", "1000", "--seed-captures", "seeds", "--output", "findings"),
        command=with_fault(tmp_path, "RNG-59"),
    )

    assert done.returncode == 2
    assert [line.partition(": Is a directory")[1] for line in done.stderr.splitlines()] == [": Is a directory"]


def test_it_does_not_crash_without_the_fault(crashed: Path) -> None:
    done = fuzz(crashed, "--again", str(finding(crashed)))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing is wrong;")


def test_the_capture_can_be_analysed(crashed: Path) -> None:
    with finding(crashed).with_suffix(".pcapng").open("rb") as stream:
        linted = Analysis(read_capture(stream)).lint()

    assert linted.messages
    assert "VU-VRG-19" in {each.rule for each in linted.findings}


def test_the_corpus_is_kept_for_the_next_run(tmp_path: Path) -> None:
    fuzz(tmp_path, "--runs", "8", "--corpus", "corpus")
    kept = list((tmp_path / "corpus").glob("*.vu"))

    done = fuzz(tmp_path, "--runs", "1", "--corpus", "corpus")

    assert kept
    assert f"{len(kept) + 2} in the corpus" in done.stdout or f"{len(kept) + 3} in the corpus" in done.stdout


def test_sessions_from_captures_are_played_first(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "one.vu").write_text("F>B SET_VRING_ENABLE ring 0 enable\n")

    done = fuzz(tmp_path, "--runs", "3", "--seed-captures", "seeds", command=with_fault(tmp_path, "RNG-59"))

    assert done.stderr == ""
    assert "3 sessions" in done.stdout


@pytest.mark.parametrize(
    ("options", "command", "error"),
    [
        ((), ["true", "{socket}"], "it ended with status 0 before it could be reached"),
        ((), ["/no/such/program", "{socket}"], "/no/such/program: cannot be started: No such file or directory"),
        ((), ["sleep", "1"], "the command names no socket"),
        (("--seed-captures", "nothing"), None, "nothing: not a folder"),
        (("--seed-captures", "."), None, ".: there are no captures or conversations in it"),
        (("--output", "/proc/nothing"), None, "/proc/nothing: No such file or directory"),
        (("--again", "nothing.vu"), None, "nothing.vu: No such file or directory"),
        (("--time", "soon"), None, "'soon' is not a time: write 90s, 10m or 8h."),
    ],
)
def test_what_cannot_be_done_is_one_line(
    options: tuple[str, ...], command: list[str] | None, error: str, tmp_path: Path
) -> None:
    done = fuzz(tmp_path, *options, command=command)

    assert done.returncode == 2
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "fuzz-findings").exists()


def test_an_interrupted_run_leaves_nothing_but_its_findings(temporary: Path, tmp_path: Path) -> None:  # noqa: F811
    process = subprocess.Popen(
        [*_FUZZ, "--time", "1h", "--seed-captures", seeds(tmp_path), "--", *with_fault(tmp_path, "RNG-59")],
        cwd=tmp_path,
        env=environment(temporary),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()  # the first finding
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()

    assert process.wait(60) == 128 + signal.SIGINT
    assert "finding" in rest
    assert list((tmp_path / "fuzz-findings").glob("*.vu"))
    eventually(lambda: left(temporary) == [])


@pytest.mark.parametrize(
    "talk",
    [
        """
        F>B SET_VRING_ADDR ring 0 desc=0x7f0000080000 avail=0x7f0000081000 used=0x7f0000082000
        F>B SET_VRING_NUM ring 0 num=128
        F>B SET_VRING_KICK ring 0 evt#1
        """,
        "F>B SET_INFLIGHT_FD mmap_size=0 mmap_offset=0 num_queues=1 queue_size=128 evt#1",
        "F>B SET_LOG_BASE mmap_size=0 mmap_offset=0 evt#1",
        "F>B SET_MEM_TABLE region0 0x0+16M at 0x7f0000000000 evt#1",
    ],
    ids=["a ring in no memory", "in-flight memory that is an eventfd", "such a log", "such a region"],
)
def test_the_reference_survives_what_was_found(talk: str, tmp_path: Path) -> None:
    """It closed a descriptor twice, and mapped what cannot be mapped."""
    (tmp_path / "found.vu").write_text(talk)

    done = fuzz(tmp_path, "--again", "found.vu")

    assert done.stdout.startswith("nothing is wrong;")
