"""The tables of a capture file."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager

from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError
from vudissect.capture.files import ByteSource, open_capture
from vudissect.capture.reader import read_capture
from vudissect.tables.collect import Tables
from vudissect.tables.columns import Batch


class UnreadableError(Exception):
    """Why a capture cannot be read at all. It is not taken for an error of what the rows are written to."""


Open = Callable[[str], AbstractContextManager[ByteSource]]
"""Opens a capture; the same errors as `open_capture`."""


def batches_of(file: str, tables: Tables, opening: Open = open_capture) -> Generator[Batch, None, None]:
    """The rows of the tables of a capture, a batch at a time; `UnreadableError`."""
    try:
        with opening(file) as stream:
            yield from tables.batches(Analysis(read_capture(stream), rules=tables.rules))
    except CaptureError as error:
        raise UnreadableError(str(error)) from None
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
