"""Real programs do not survive everything that the fuzzer plays; what it finds is short, and happens again."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.peers.checked import BACK_ENDS, FRONT_ENDS, Checked
from vudissect.fuzz.steps import Message, read_steps
from vudissect.host.python import python_module

_MOST_MESSAGES = 10
_TIMEOUT = 900


def fuzz(checked: Checked, folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    with (folder / "disk.img").open("wb") as disk:
        disk.truncate(16 << 20)
    return subprocess.run(
        [*python_module("vudissect"), "fuzz", *options, "--", *checked.release.within, *checked.command(folder)],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
    )


def back_end(key: str) -> Checked:
    (found,) = (each for each in BACK_ENDS if each.key == key)
    return found


def again(key: str, folder: Path, talk: str, *words: str) -> str:
    """What comes of a conversation with a front-end, which gets these words more."""
    (found,) = (each for each in FRONT_ENDS if each.key == key)
    (folder / "talk.vu").write_text(talk)
    done = fuzz(found._replace(words=(*found.words, *words)), folder, "--front-end", "--again", "talk.vu")
    assert done.returncode == (0 if done.stdout.startswith("nothing is wrong;") else 1), done.stderr
    return done.stdout


def crashes(folder: Path) -> list[Path]:
    return sorted((folder / "fuzz-findings").glob("crash-*.vu"))


def messages(file: Path) -> int:
    return sum(isinstance(step, Message) for step in read_steps(file.read_text()))


# The daemon of 2022 looks a ring up without a limit, in an assertion that kills it. The ring just after the last one
# gives the same end on every machine: far beyond it, the write before the assertion is a SIGSEGV on some heaps.
_SEED = """
F>B SET_OWNER
F>B GET_FEATURES
F>B SET_VRING_NUM ring 0 num 128
F>B SET_VRING_BASE ring 0 base 0
F>B GET_VRING_BASE ring 1
"""


@pytest.mark.peers
def test_a_crash_of_the_storage_daemon_is_made_short(tmp_path: Path) -> None:
    daemon = back_end("qemu-storage-daemon-7.2")
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "ring.vu").write_text(_SEED)

    done = fuzz(daemon, tmp_path, "--seed-captures", "seeds", "--runs", "3")

    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    short = [file for file in crashes(tmp_path) if messages(file) == 1 and "GET_VRING_BASE" in file.read_text()]
    assert short, done.stdout
    assert fuzz(daemon, tmp_path, "--again", str(short[0])).stdout.startswith("crash: SIG")


# QEMU 7.2 forgets a device when it cannot set it up again after a reconnect.
_LOST = """
F>B SET_STATUS status=15
--- closed by back-end
c2 F>B GET_QUEUE_NUM
c2 B>F GET_PROTOCOL_FEATURES features=0
"""


@pytest.mark.peers
def test_qemu_does_not_come_back_after_a_wrong_answer_to_its_second_connection(tmp_path: Path) -> None:
    said = again("qemu-7.2", tmp_path, _LOST)

    assert said.startswith("hang: the next session is refused, after GET_PROTOCOL_FEATURES;")


@pytest.mark.peers
def test_qemu_may_wait_for_an_answer_and_refuse_one_on_its_first_connection(tmp_path: Path) -> None:
    assert again("qemu-7.2", tmp_path, "F>B GET_CONFIG\n# no answer", "-S").startswith("nothing is wrong;")
    assert again("qemu-7.2", tmp_path, "\n".join(_LOST.splitlines()[-2:]).replace("c2 ", ""), "-S").startswith(
        "nothing is wrong;"
    )


@pytest.mark.peers_slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("key", "least"), [("qemu-storage-daemon-7.2", 2), ("qemu-storage-daemon-10.0", 1)])
def test_ten_minutes_find_short_crashes(key: str, least: int, tmp_path: Path) -> None:
    done = fuzz(back_end(key), tmp_path, "--time", "10m")

    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    assert sum(messages(file) <= _MOST_MESSAGES for file in crashes(tmp_path)) >= least, done.stdout
