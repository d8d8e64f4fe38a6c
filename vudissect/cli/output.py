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
    """Standard output without a buffer; after a failure it discards all that comes."""

    def __init__(self) -> None:
        super().__init__(_STDOUT, "wb", closefd=False)
        self.defers = False
        self.failure: OutputError | None = None

    def write(self, data: Any, /) -> int:
        if self.failure is not None:
            return len(data)
        try:
            return self._write(data)
        except OutputError as error:
            self.failure = error
            if self.defers:
                return len(data)
            raise

    def _write(self, data: Any) -> int:
        try:
            # None: not now, because the other end was made non-blocking.
            while (written := super().write(data)) is None:
                from select import select

                select([], [_STDOUT], [])
        except BrokenPipeError:
            raise ReaderLeftError from None
        except OSError as error:
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


def defer_output_errors() -> None:
    """From now on nothing that is printed fails; `finish_output` raises what went wrong.

    For commands that do more than print: their other results and their exit status are as if all had been printed.
    """
    if (descriptor := _descriptor()) is not None:
        descriptor.defers = True


def finish_output() -> None:
    """Write what was printed; `OutputError` if that is not possible, or was not before and has been deferred."""
    sys.stdout.flush()
    descriptor = _descriptor()
    if descriptor is not None and descriptor.defers and descriptor.failure is not None:
        raise descriptor.failure


def _descriptor() -> _Descriptor | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, _Descriptor) else None


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
