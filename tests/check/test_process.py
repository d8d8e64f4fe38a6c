"""Whether a process spins, seen from outside, on a machine that may be busy."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from vudissect.check import process
from vudissect.check.link import Clock


class Hasty(Clock):
    """Time that passes at once."""

    def sleep(self, seconds: float) -> None:
        self.waited += seconds


def thread(states: str, ticks: int) -> Iterator[dict[str, process._Thread]]:
    """What is seen of a thread, one state after the other; with the last one it stays. It works in each look."""
    worked = 0
    yield {"1": process._Thread(states[0], 0)}
    for state in states:
        worked += ticks
        yield {"1": process._Thread(state, worked)}
    while True:
        yield {"1": process._Thread(states[-1], worked)}


def busy(monkeypatch: pytest.MonkeyPatch, states: str, ticks: int) -> float:
    seen = thread(states, ticks)
    monkeypatch.setattr(process, "_threads", lambda pid: next(seen))
    return process.busy(1, Hasty())


def test_one_that_always_works_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert busy(monkeypatch, "R" * 100, ticks=1) == 1


def test_one_that_waits_for_a_processor_and_then_sleeps_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have to wait for longer than it is looked at."""
    assert busy(monkeypatch, "R" * 30 + "S", ticks=0) <= 0.5


def test_one_that_sleeps_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert busy(monkeypatch, "S", ticks=0) == 0


def test_a_real_process_that_spins_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        try:
            assert process.busy(spinning.pid, Clock()) > 0.8
        finally:
            spinning.kill()


def test_nothing_is_said_of_a_process_that_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert process.busy(gone.pid, Clock()) == 0
    assert not process.runs(gone.pid)


@pytest.fixture
def echo() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a thread that answers, and one that sleeps."""
    program = (
        "import os, threading, time; threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
        "while data := os.read(0, 1): os.write(1, data)"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with running:
        ask(running)
        yield running
        running.kill()


def ask(running: subprocess.Popen[bytes]) -> None:
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(b"?")
    running.stdin.flush()
    running.stdout.read(1)
    process.at_rest(running.pid, Clock())


def test_the_thread_that_answers_is_found(echo: subprocess.Popen[bytes]) -> None:
    assert process.reader_of(echo.pid, lambda: ask(echo)) == echo.pid


def test_a_thread_that_yields_does_so_for_a_while(echo: subprocess.Popen[bytes]) -> None:
    places = os.sched_getaffinity(echo.pid)

    with process.yielding(echo.pid, echo.pid):
        assert os.sched_getscheduler(echo.pid) == os.SCHED_IDLE
        assert len(os.sched_getaffinity(echo.pid)) == 1

    assert os.sched_getscheduler(echo.pid) == os.SCHED_OTHER
    assert os.sched_getaffinity(echo.pid) == places
