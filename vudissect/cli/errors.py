"""How a command reports that it cannot do what it was asked: one line on standard error, exit status 2."""

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


@contextmanager
def clear_errors(name: str) -> Iterator[None]:
    """Turn errors with the file `name` into one clear line."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except CaptureError as error:
        fail(f"{name}: {error}")
    except OSError as error:
        fail(f"{error.filename or name or repr(name)}: {error.strerror or error}")
