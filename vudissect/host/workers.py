"""Many things to do, several at a time: each worker is a process that asks for the next one when it is done.

A worker ends when its pipe is closed, so none is left when the command is killed. A signal that ends the command may
reach its whole group of processes: workers ignore it, and the command terminates them. So they clean up before they
end, and none ends before the command knows of it.
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Generic, NamedTuple, NoReturn, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# What a terminal sends to the command and to its workers.
_FOR_THE_GROUP = (signal.SIGINT, signal.SIGHUP)


class WorkerKilledError(Exception):
    """A worker ended in the middle of its work."""

    def __init__(self) -> None:
        super().__init__("a worker was killed, maybe for want of memory")


class Done(NamedTuple, Generic[Result]):
    """The result for the item with this number, from 0."""

    number: int
    result: Result


def done(items: Iterable[Item], do: Callable[[Item], Result], jobs: int) -> Iterator[Done[Result]]:
    """The result of each item as it is done. `OSError` if `do` raises one, `WorkerKilledError`.

    With more than one job, `do`, the items and the results are sent to other processes and back: they are pickled.
    """
    if jobs == 1:
        for number, item in enumerate(items):
            yield Done(number, do(item))
        return
    rest = enumerate(items)
    with _workers(do, jobs) as idle:
        busy = {pipe for pipe in idle if _give(pipe, rest)}
        while busy:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                yield _received(pipe)
                if not _give(pipe, rest):
                    busy.remove(pipe)


def in_order(results: Iterable[Done[Result]]) -> Iterator[Result]:
    """The results in the order of their items."""
    early: dict[int, Result] = {}
    following = 0
    for number, result in results:
        early[number] = result
        while following in early:
            yield early.pop(following)
            following += 1


def _give(pipe: Connection, items: Iterator[tuple[int, Item]]) -> bool:
    """Give a worker the next item; False if there is none."""
    item = next(items, None)
    if item is not None:
        pipe.send(item)
    return item is not None


def _received(pipe: Connection) -> Done[Result]:
    try:
        answer: Done[Result] | OSError = pipe.recv()
    except (EOFError, ConnectionError):
        raise WorkerKilledError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


@contextmanager
def _workers(do: Callable[[Item], Result], jobs: int) -> Iterator[list[Connection]]:
    # Not by fork: the new process has only its own pipe.
    context = get_context("spawn")
    processes = []
    pipes: list[Connection] = []
    try:
        for _ in range(jobs):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, do), daemon=True)
            processes.append(process)
            with _shielded():
                process.start()
            there.close()
            pipes.append(here)
        yield pipes
    finally:
        started = [process for process in processes if process.pid is not None]
        for process in started:
            process.terminate()
        for process in started:
            process.join()


@contextmanager
def _shielded() -> Iterator[None]:
    """What is started here never receives the signals for the group; for this process they wait until the end."""
    # Where the first process is started, this is as well, and unblocks the signals.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_GROUP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Terminated(BaseException):
    """The command ends."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise _Terminated


def _work(pipe: Connection, do: Callable[[Item], Result]) -> None:
    with suppress(EOFError, ConnectionError, _Terminated):
        signal.signal(signal.SIGTERM, _terminate)
        while True:
            number, item = pipe.recv()
            answer: Done[Result] | OSError
            try:
                answer = Done(number, do(item))
            except OSError as error:
                answer = error
            pipe.send(answer)
