"""How far a long file has been read: one line on standard error that is overwritten, only on a terminal."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TextIO, TypeVar

from vudissect.capture.files import ByteSource, open_capture
from vudissect.cli.errors import clear_errors
from vudissect.render.units import printable

Result = TypeVar("Result")

_FIRST_AFTER_SECONDS = 1.0
_EVERY_SECONDS = 0.25
_LONGEST_NAME = 40


@contextmanager
def opened(file: str) -> Iterator[ByteSource]:
    """A capture for reading, `-` for standard input, with a line of progress if it takes long; exit 2 on errors."""
    with clear_errors(file), watched(file) as stream:
        yield stream


@contextmanager
def watched(file: str) -> Iterator[ByteSource]:
    """The same; `OSError` if it cannot be opened."""
    with open_capture(file) as stream:
        if not sys.stderr.isatty():
            yield stream
            return
        progress = Progress(stream, file.rpartition("/")[2], _size(stream), sys.stderr)
        try:
            yield progress
        finally:
            progress.clear()


class Progress:
    """A stream that prints how much of it was read."""

    def __init__(
        self, stream: ByteSource, name: str, size: int | None, terminal: TextIO, clock: Callable[[], float] = monotonic
    ) -> None:
        """`size` is the number of bytes in the stream, None if that is not known."""
        self._stream = stream
        self._name = printable(name if len(name) <= _LONGEST_NAME else f"…{name[-_LONGEST_NAME:]}")
        self._size = size
        self._terminal = terminal
        self._clock = clock
        self._done = 0
        self._next = clock() + _FIRST_AFTER_SECONDS
        self._shown = False

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        data = self._stream.read(size)
        self._done += len(data)
        if not data:
            self.clear()
        elif self._clock() >= self._next:
            self._show()
        return data

    def clear(self) -> None:
        """Make way for other lines."""
        if self._shown:
            self._shown = False
            print("\r\x1b[K", end="", file=self._terminal, flush=True)

    def _show(self) -> None:
        self._next = self._clock() + _EVERY_SECONDS
        self._shown = True
        of = f" of {self._size >> 20}M, {self._done * 100 // self._size}%" if self._size else ""
        text = f"reading {self._name}: {self._done >> 20}M{of}"
        print(f"\r{text}\x1b[K", end="", file=self._terminal, flush=True)


class CaptureCount:
    """Prints how many of several captures are done. `did` is what was done with them, such as `exported`."""

    def __init__(self, did: str, total: int, terminal: TextIO, clock: Callable[[], float] = monotonic) -> None:
        self._did = did
        self._total = total
        self._terminal = terminal
        self._clock = clock
        self._done = self._messages = 0
        self._next = clock() + _FIRST_AFTER_SECONDS
        self._shown = False

    def add(self, messages: int) -> None:
        """One more is done, with so many messages."""
        self._done += 1
        self._messages += messages
        if self._clock() >= self._next:
            self._next = self._clock() + _EVERY_SECONDS
            self._shown = True
            text = f"{self._did} {self._done} of {self._total} captures, {self._messages} messages"
            print(f"\r{text}\x1b[K", end="", file=self._terminal, flush=True)

    def clear(self) -> None:
        """Make way for other lines."""
        if self._shown:
            self._shown = False
            print("\r\x1b[K", end="", file=self._terminal, flush=True)


def counted(
    did: str,
    results: Iterable[Result],
    total: int,
    messages: Callable[[Result], int],
    is_fine: Callable[[Result], bool],
) -> Iterator[Result]:
    """The results of several captures, with their number on a terminal. It makes way for a line about a bad one."""
    if not sys.stderr.isatty():
        yield from results
        return
    count = CaptureCount(did, total, sys.stderr)
    try:
        for result in results:
            count.add(messages(result))
            if not is_fine(result):
                count.clear()
            yield result
    finally:
        count.clear()


def _size(stream: object) -> int | None:
    """The bytes of a regular file; unknown of a pipe, and of what is decompressed."""
    if not isinstance(stream, io.BufferedReader):
        return None
    about = os.fstat(stream.fileno())
    return about.st_size if stat.S_ISREG(about.st_mode) else None
