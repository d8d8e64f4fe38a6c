"""Threads that work on the same thing, and end together."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

_WAKES_UP_SECONDS = 0.2


def run_together(tasks: Sequence[Callable[[], object]], stop: Callable[[], object]) -> None:
    """Run each task in a thread. No thread is left afterwards, and the first exception is raised here.

    When a task has failed, or an exception comes from outside, `stop` lets the others come to an end.
    """
    with ThreadPoolExecutor(len(tasks)) as threads:
        running = [threads.submit(task) for task in tasks]
        try:
            while not _is_over(running):
                pass
        finally:
            stop()
    for task in running:
        task.result()


def _is_over(running: Sequence[Future[object]]) -> bool:
    """Whether all are done, or one has failed, after a while. A signal may have come to another thread meanwhile."""
    done, others = wait(running, _WAKES_UP_SECONDS, FIRST_EXCEPTION)
    return not others or any(task.exception() is not None for task in done)
