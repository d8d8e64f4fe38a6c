"""How a command reports that it cannot do what it was asked: one line on standard error, exit status 2."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from vudissect.capture.errors import CaptureError
from vudissect.render.units import printable

CANNOT = 2
FINDINGS = 1
INTERRUPTED = 130

# An argument may be any text of any length.
_LONGEST = 1000


def warn(text: str) -> None:
    """Print one line to standard error, whatever is in the text; do nothing if standard error is closed."""
    shown = printable(text)
    with suppress(OSError):
        print(f"{sys.argv[0].rpartition('/')[2]}: {shown[:_LONGEST]}{'…' * (len(shown) > _LONGEST)}", file=sys.stderr)


def fail(text: str) -> NoReturn:
    """Exit with one line on standard error and status 2."""
    warn(text)
    raise SystemExit(CANNOT)


def needs_linux() -> None:
    """Exit with one line on standard error and status 2 on any other system."""
    if not sys.platform.startswith("linux"):
        fail("this needs Linux, as vhost-user does; show, lint, summary, state and explain read captures on any system")


class ExplainedError(Exception):
    """An error with a file, in one clear line."""


@contextmanager
def explained_errors(name: str) -> Iterator[None]:
    """Turn errors with the file `name` into an `ExplainedError`."""
    try:
        yield
    except CaptureError as error:
        raise ExplainedError(f"{name}: {error}") from None
    except OSError as error:
        path = error.filename or name
        reason = f"{error.strerror or error}{_remedy(error.errno, path)}"
        raise ExplainedError(f"{path or repr(path)}: {reason}") from None


@contextmanager
def clear_errors(name: str) -> Iterator[None]:
    """Exit with one clear line and status 2 on errors with the file `name`."""
    try:
        with explained_errors(name):
            yield
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except ExplainedError as error:
        fail(str(error))


def _remedy(number: int | None, path: object) -> str:
    """What helps against the most common errors with files."""
    if number == errno.EISDIR:
        return ": name a file in it"
    if number in (errno.EACCES, errno.EPERM):
        return ": it belongs to another user, or its mode does not allow this"
    if number != errno.ENOENT or not isinstance(path, str):
        return ""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return f": there is no folder {folder}"
    from vudissect.protocol.spelling import did_you_mean

    near = did_you_mean(name, names)
    return f"; {near}" if near else f": name a file that exists in {folder or 'this folder'}"
