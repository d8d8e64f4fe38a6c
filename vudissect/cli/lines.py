"""The lines of a text from the user, one at a time, so that a file of any size needs memory for only one line."""

import gzip
import zlib
from collections.abc import Iterator

from vudissect.cli.errors import clear_errors, fail

_MOST_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"


def lines_of(file: str, errors: str = "strict") -> Iterator[str]:
    """The lines of a file, `-` for standard input; exit 2 if it is not text. `errors` is as for `decode`."""
    with open(0 if file == "-" else file, "rb", closefd=file != "-") as stream:
        number = 0
        while line := stream.readline(_MOST_BYTES + 1):
            number += 1
            if len(line) > _MOST_BYTES:
                fail(f"{file}: line {number} is longer than {_MOST_BYTES} bytes: not a text file")
            try:
                yield line.decode("utf-8", errors)
            except UnicodeDecodeError:
                fail(f"{file}: line {number} is not UTF-8: not a text file")


def text_of(file: str, most: int = _MOST_BYTES) -> str:
    """A short text as a whole, with invalid UTF-8 replaced; exit 2 if it cannot be read or is too long.

    It may be compressed with gzip; `most` is its size without that.
    """
    with clear_errors(file), open(file, "rb") as stream:
        if stream.peek(len(_GZIP)).startswith(_GZIP):
            try:
                text = gzip.GzipFile(fileobj=stream).read(most + 1)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                fail(f"{file}: cannot be decompressed: {error}")
        else:
            text = stream.read(most + 1)
    if len(text) > most:
        fail(f"{file}: longer than {most} bytes")
    return text.decode("utf-8", "replace")
