"""Threads that work on the same thing, and end together."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait


def run_together(tasks: Sequence[Callable[[], object]], stop: Callable[[], object]) -> None:
    """Run each task in a thread. No thread is left afterwards, and the first exception is raised here.

    When a task has failed, or an exception comes from outside, `stop` lets the others come to an end.
    """
    with ThreadPoolExecutor(len(tasks)) as threads:
        running = [threads.submit(task) for task in tasks]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            stop()
    for task in running:
        task.result()
