"""Several things at a time, each in a process of its own."""

import os
import signal

import pytest

from vudissect.host.workers import Done, WorkerKilledError, done, in_order

NUMBERS = range(5)


def double(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


def refuse(number: int) -> int:
    if number == 3:
        raise FileNotFoundError(2, "No such file or directory", "three")
    return number


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


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
