"""Several things at a time, each in a process of its own."""

import os
import signal
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from vudissect.host.workers import Done, WorkerKilledError, done, in_order

NUMBERS = range(5)
FOR_THE_GROUP = {signal.SIGINT, signal.SIGHUP}


def double(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


def refuse(number: int) -> int:
    if number == 3:
        raise FileNotFoundError(2, "No such file or directory", "three")
    return number


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def blocked(_: int) -> set[signal.Signals]:
    return {signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])}


def finish_one(number: int, file: Path, pipe: Path) -> None:
    if number == 1:
        return
    try:
        file.touch()
        pipe.write_text("begun")
        signal.pause()
    finally:
        file.unlink()


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_item_is_done_once(jobs: int) -> None:
    assert [result for result, _ in in_order(done(NUMBERS, double, jobs))] == [0, 2, 4, 6, 8]


def test_one_job_needs_no_other_process() -> None:
    assert {process for _, (_, process) in done(NUMBERS, double, 1)} == {os.getpid()}


def test_several_jobs_are_done_by_others() -> None:
    assert os.getpid() not in {process for _, (_, process) in done(NUMBERS, double, 2)}


def test_results_that_come_early_wait_for_those_before_them() -> None:
    assert list(in_order([Done(2, "c"), Done(0, "a"), Done(1, "b"), Done(3, "d")])) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_raised_here(jobs: int) -> None:
    with pytest.raises(FileNotFoundError, match="three"):
        list(done(NUMBERS, refuse, jobs))


def test_a_worker_that_is_killed_is_an_error() -> None:
    with pytest.raises(WorkerKilledError, match="a worker was killed, maybe for want of memory"):
        list(done(NUMBERS, die, 2))


def test_a_worker_cleans_up_where_the_command_ends(tmp_path: Path) -> None:
    file, pipe = tmp_path / "half.part", tmp_path / "pipe"
    os.mkfifo(pipe)
    results = done([1, 2], partial(finish_one, file=file, pipe=pipe), 2)
    next(results)
    assert (pipe.read_text(), file.exists()) == ("begun", True)

    assert isinstance(results, Generator)
    results.close()

    assert not file.exists()


def test_a_signal_to_all_is_for_the_command_alone() -> None:
    assert all(each >= FOR_THE_GROUP for _, each in done([1, 2], blocked, 2))
    assert not blocked(0) & FOR_THE_GROUP
