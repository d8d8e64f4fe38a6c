"""Threads that end together."""

import threading

import pytest

from vudissect.host.threads import run_together


def test_all_tasks_are_run_at_the_same_time() -> None:
    both = threading.Barrier(2)

    run_together([lambda: both.wait(60), lambda: both.wait(60)], lambda: None)

    assert not both.broken


@pytest.mark.parametrize("error", [BrokenPipeError, SystemExit])
def test_an_error_stops_the_others_and_is_raised(error: type[BaseException]) -> None:
    stopped = threading.Event()

    def fails() -> None:
        raise error

    with pytest.raises(error):
        run_together([lambda: assert_stopped(stopped), fails], stopped.set)


def assert_stopped(stopped: threading.Event) -> None:
    assert stopped.wait(60)
