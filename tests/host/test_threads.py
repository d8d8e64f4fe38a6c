"""Threads that end together, and threads in the background."""

import signal
import threading
import time
from types import FrameType

import pytest

from vudissect.host.background import in_background
from vudissect.host.threads import run_together

PATIENCE = 60


class StoppedError(Exception):
    """What a handler of signals raises."""


def interrupt(number: int, frame: FrameType | None) -> None:
    raise StoppedError


def test_all_tasks_are_run_at_the_same_time() -> None:
    both = threading.Barrier(2)

    run_together([lambda: both.wait(PATIENCE), lambda: both.wait(PATIENCE)], lambda: None)

    assert not both.broken


@pytest.mark.parametrize("error", [BrokenPipeError, SystemExit])
def test_an_error_stops_the_others_and_is_raised(error: type[BaseException]) -> None:
    stopped = threading.Event()

    def fails() -> None:
        raise error

    with pytest.raises(error):
        run_together([lambda: stopped.wait(PATIENCE), fails], stopped.set)


def test_a_signal_that_came_to_another_thread_is_handled() -> None:
    stopped = threading.Event()
    before = signal.signal(signal.SIGUSR1, interrupt)

    def gets_the_signal() -> None:
        time.sleep(0.1)  # by then the main thread waits
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        assert stopped.wait(PATIENCE)

    try:
        with pytest.raises(StoppedError):
            run_together([gets_the_signal], stopped.set)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_thread_in_the_background_gets_no_signals() -> None:
    blocked: set[int] = set()

    thread = in_background(lambda: blocked.update(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    thread.join(PATIENCE)

    assert {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1} <= blocked
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
