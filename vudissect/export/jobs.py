"""Many captures, several at a time: each worker is a process that asks for the next one when it is done.

A worker ends when its pipe is closed, so none is left when the command is killed.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

from vudissect.export.capture import Outcome, export_capture
from vudissect.export.errors import ExportError
from vudissect.export.folder import Folder

_Answer = Outcome | OSError


def export_captures(files: Iterable[str], folder: Folder, jobs: int) -> Iterator[Outcome]:
    """The outcome of each capture as it is done. `OSError` if the tables cannot be written."""
    if jobs == 1:
        for file in files:
            yield export_capture(file, folder)
        return
    rest = iter(files)
    with _workers(folder, jobs) as idle:
        busy = {pipe for pipe in idle if _give(pipe, rest)}
        while busy:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                yield _received(pipe)
                if not _give(pipe, rest):
                    busy.remove(pipe)


def _give(pipe: Connection, files: Iterator[str]) -> bool:
    """Give a worker the next capture; False if there is none."""
    file = next(files, None)
    if file is not None:
        pipe.send(file)
    return file is not None


def _received(pipe: Connection) -> Outcome:
    try:
        answer: _Answer = pipe.recv()
    except (EOFError, ConnectionError):
        raise ExportError("a worker was killed, maybe for want of memory: call the command again to go on") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


@contextmanager
def _workers(folder: Folder, jobs: int) -> Iterator[list[Connection]]:
    # Not by fork: the new process has only its own pipe.
    context = get_context("spawn")
    processes = []
    pipes: list[Connection] = []
    try:
        for _ in range(jobs):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, folder), daemon=True)
            processes.append(process)
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


def _work(pipe: Connection, folder: Folder) -> None:
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        while True:
            file: str = pipe.recv()
            answer: _Answer
            try:
                answer = export_capture(file, folder)
            except OSError as error:
                answer = error
            pipe.send(answer)
