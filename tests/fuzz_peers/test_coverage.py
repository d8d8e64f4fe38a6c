"""A back-end that shows which edges of its code it passes: what cannot be seen from outside is found with them."""

import ctypes
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tests.fuzz_peers.built import HARNESS, WITH_COVERAGE, built
from tests.fuzz_peers.test_command import fuzz
from vudissect.check.outcome import Fate, Life
from vudissect.fuzz.back_end import BackEnd
from vudissect.fuzz.corpus import Corpus
from vudissect.fuzz.coverage import RUNTIME, Coverage
from vudissect.fuzz.finding import Finding
from vudissect.fuzz.fuzzer import Fuzzer, Limits
from vudissect.fuzz.mutate import change_field
from vudissect.fuzz.play import Played, Session, state_word
from vudissect.fuzz.steps import HangUp, Message, Steps, read_steps
from vudissect.session.event import MessageEvent
from vudissect.session.session import Session as Heard

_SEED, _RUNS = 1, 300
SEEDS = HARNESS.with_name("seeds.py")

TALK = """
F>B GET_FEATURES
F>B SET_VRING_NUM ring 0 num=16
F>B SET_VRING_BASE ring 0 num=3
F>B SET_VRING_ENABLE ring 0 enable
F>B GET_VRING_BASE ring 0
"""
FAULT = """
F>B SET_MEM_TABLE region0 0x0+16M at 0x7f0000000000 mem#1 (memfd ram 16M)
F>B SET_VRING_NUM index=0 num=64
F>B SET_VRING_KICK ring 0 evt#2
F>B SET_VRING_BASE index=0 num=64
F>B SET_VRING_ENABLE index=0 num=64
F>B GET_VRING_BASE index=0 num=64
"""


class Chain(BackEnd):
    """The back-end in this process, through the harness of the documentation."""

    def __init__(self, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._coverage = Coverage()
        for name, value in self._coverage.environment.items():
            monkeypatch.setenv(name, value)
        self._library = ctypes.CDLL(str(library))
        self._faults = ctypes.c_int.in_dll(self._library, "faults")

    def play(self, steps: Steps, *, fresh: bool = False, careful: bool = False) -> Played:
        self._coverage.clear()
        self._faults.value = 0
        seed = b""
        for step in (*steps, HangUp()):
            if isinstance(step, Message):
                kinds = "".join(each.kind.label[0] for each in step.descriptors)
                seed += bytes([len(kinds)]) + kinds.encode() + step.data
            elif isinstance(step, HangUp):
                self._library.LLVMFuzzerTestOneInput(seed, ctypes.c_size_t(len(seed)))
                seed = b""
        life = Life.KILLED if self._faults.value else Life.ALIVE
        session = Session(seen=seen_from_outside(steps), last="the last message")
        return Played(session, Fate(life, 6, next_connection=True), "", edges=self._coverage.edges())

    def derive(self, steps: Steps, others: Sequence[Steps], random: Random) -> Steps:
        # One field at a time, so that it does not depend on what other changes there are.
        return change_field(steps, random)

    @property
    def memory(self) -> int:
        return -1

    def stop(self) -> None:
        pass


def seen_from_outside(steps: Steps) -> set[tuple[str, str, str]]:
    """Each message and the state in which it came: the back-end answers all of them in the same way."""
    heard = Heard()
    events = [(step, heard.feed(step.record)) for step in steps if isinstance(step, Message) and step.data]
    return {(step.name, state_word(event.before), "") for step, event in events if isinstance(event, MessageEvent)}


def runs_until_found(library: Path, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """How many sessions it takes to find the fault; None if it is not found."""
    corpus, found = Corpus([read_steps(TALK)]), list[int]()

    def stop(_: Finding) -> None:
        found.append(fuzzer.runs)
        fuzzer.stop()

    fuzzer = Fuzzer(corpus, _SEED, Limits(3600, _RUNS), stop)
    fuzzer.work(Chain(library, monkeypatch))
    return found[0] if found else None


def test_a_fault_after_a_chain_of_conditions_is_found_only_with_coverage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = ("-shared", "-DIN_PROCESS")
    covered = built(tmp_path / "covered.so", *shared, WITH_COVERAGE, others=(HARNESS,))
    plain = built(tmp_path / "plain.so", *shared, others=(HARNESS,))

    assert runs_until_found(covered, monkeypatch) is not None
    assert runs_until_found(plain, monkeypatch) is None


def test_the_command_counts_the_edges_of_a_back_end_that_shows_them(tmp_path: Path) -> None:
    covered, plain = built(tmp_path / "covered", WITH_COVERAGE), built(tmp_path / "plain")

    outputs = [fuzz(tmp_path, "--runs", "3", command=[str(each), "{socket}"]).stdout for each in (covered, plain)]

    assert re.search(r"things seen, [1-9]\d* edges, 0 findings", outputs[0])
    assert re.search(r"things seen, 0 findings", outputs[1])


def test_the_file_to_link_a_back_end_with_is_written(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "--write-runtime", "runtime.c")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "runtime.c").read_text() == RUNTIME.read_text()


def test_where_it_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "--write-runtime", "no/runtime.c")

    assert (done.returncode, done.stderr) == (
        2,
        "vudissect: no/runtime.c: No such file or directory: there is no folder no\n",
    )


def test_the_harness_plays_what_was_made_of_a_conversation(tmp_path: Path) -> None:
    library = ctypes.CDLL(str(built(tmp_path / "chain.so", "-shared", "-DIN_PROCESS", others=(HARNESS,))))
    (tmp_path / "whole.vu").write_text(FAULT)
    (tmp_path / "part.vu").write_text(FAULT.replace("num=64", "num=1"))

    subprocess.run([sys.executable, SEEDS, "seeds", "whole.vu", "part.vu"], cwd=tmp_path, check=True)

    for name, faults in (("part", 0), ("whole", 1)):
        seed = (tmp_path / "seeds" / name).read_bytes()
        library.LLVMFuzzerTestOneInput(seed, ctypes.c_size_t(len(seed)))
        assert ctypes.c_int.in_dll(library, "faults").value == faults
