"""Commands as a user calls them."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile
from typing import BinaryIO
from unittest.mock import patch

import click

from vudissect.cli.main import main

TIMEOUT = 30

_STDIN, _STDOUT, _STDERR = range(3)
# Commands handle them, as they expect to have the process for themselves.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


def run(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in this process, with standard streams of its own: most of its time is that of a new process."""
    return run_program(main, "vudissect", *arguments, stdin=stdin, **environment)


def run_program(
    program: click.Command, name: str, *arguments: str, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """The same for another program than `vudissect`."""
    with ExitStack() as stack:
        output, errors = (stack.enter_context(TemporaryFile()) for _ in range(2))
        stack.enter_context(patch.dict(os.environ, environment))
        stack.enter_context(patch.object(sys, "argv", [name, *arguments]))
        stack.enter_context(_handlers_restored())
        with _input(stdin), _opened(_STDOUT, output, "stdout"), _opened(_STDERR, errors, "stderr"):
            try:
                program(list(arguments), prog_name=name)
            except SystemExit as end:
                status = end.code
        texts = [(file.seek(0), file.read())[1] for file in (output, errors)]
    assert isinstance(status, int)
    return subprocess.CompletedProcess(arguments, status, *texts)


def run_apart(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own, where it is about what Python or the system makes of it."""
    return subprocess.run(
        [sys.executable, "-m", "vudissect", *arguments],
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT,
        env=os.environ | environment,
        check=False,
    )


@contextmanager
def _handlers_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _replaced(fd: int, file: int) -> Iterator[None]:
    """Descriptor `fd` is another file."""
    before = os.dup(fd)
    os.dup2(file, fd)
    try:
        yield
    finally:
        os.dup2(before, fd)
        os.close(before)


@contextmanager
def _opened(fd: int, file: BinaryIO, name: str) -> Iterator[None]:
    """A standard stream that is written to this file."""
    with (
        _replaced(fd, file.fileno()),
        io.TextIOWrapper(open(fd, "wb", closefd=False), "utf-8") as stream,
        patch.object(sys, name, stream),
        patch.object(sys, f"__{name}__", stream),
    ):
        yield


@contextmanager
def _input(data: bytes) -> Iterator[None]:
    """Standard input that is a pipe with this data."""
    end, other_end = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), open(other_end, "wb") as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with _replaced(_STDIN, end), open(_STDIN, closefd=False) as stream, patch.object(sys, "stdin", stream):
            os.close(end)
            yield
    finally:
        writer.join()
