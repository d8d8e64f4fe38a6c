"""Standard output that accepts any text, and whose failures are not confused with those of the input."""

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_STDOUT = 1
_NARROW = 80


class OutputError(Exception):
    """Standard output cannot be written. Not an `OSError`, as those are about files that a command reads or writes."""


class ReaderLeftError(OutputError):
    """The reader of standard output has closed it, as `head` does."""


class _Descriptor(io.FileIO):
    """Standard output without a buffer; after a failure it discards what is left in the buffers above it."""

    def __init__(self) -> None:
        super().__init__(_STDOUT, "wb", closefd=False)
        self._broken = False

    def write(self, data: Any, /) -> int:
        if self._broken:
            return len(data)
        try:
            # None: not now, because the other end was made non-blocking.
            while (written := super().write(data)) is None:
                from select import select

                select([], [_STDOUT], [])
        except BrokenPipeError:
            self._broken = True
            raise ReaderLeftError from None
        except OSError as error:
            self._broken = True
            raise OutputError(f"standard output: {error.strerror}") from None
        return written


@contextmanager
def standard_output() -> Iterator[None]:
    """Make `sys.stdout` escape what its encoding lacks, and raise `OutputError` if it cannot be written.

    A stream that replaced it is left alone.
    """
    before = sys.stdout
    is_ours = sys.__stdout__ is None or before is sys.__stdout__
    if is_ours and isinstance(before, io.TextIOWrapper) and before.fileno() == _STDOUT:
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Descriptor()),
            encoding=before.encoding,
            errors="backslashreplace",
            line_buffering=before.line_buffering,
            write_through=before.write_through,
        )
    try:
        yield
    finally:
        sys.stdout = before


def fitting(texts: Iterable[str]) -> Iterator[str]:
    """The lines that fit on the terminal that standard output is, and if there are more, how many."""
    from shutil import get_terminal_size

    lines = [line for text in texts for line in text.split("\n")]
    room = max(get_terminal_size().lines - 1, 2)
    if len(lines) <= room:
        yield from lines
    else:
        yield from lines[: room - 1]
        yield f"... {len(lines) - room + 1} more lines"


def screen_width() -> int:
    """The columns of the terminal that standard output is; those of a narrow one where it is something else."""
    if not sys.stdout.isatty():
        return _NARROW
    from shutil import get_terminal_size

    return get_terminal_size().columns


def say(text: str) -> None:
    """Print a line."""
    # Not `click.echo`, which treats ASCII as a mistake of the user and writes UTF-8.
    sys.stdout.write(f"{text}\n")


def write(text: Iterator[str]) -> None:
    """Print text that includes its newlines."""
    for part in text:
        sys.stdout.write(part)
