"""How a command says that it cannot do what it was asked: one line on standard error, exit status 2."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from vudissect.capture.errors import CaptureError

CANNOT = 2
FINDINGS = 1


def fail(text: str) -> NoReturn:
    """End with one line on standard error and exit status 2."""
    print(f"{sys.argv[0].rpartition('/')[2]}: {text}", file=sys.stderr)
    raise SystemExit(CANNOT)


@contextmanager
def clear_errors(name: str) -> Iterator[None]:
    """Turn what can go wrong with the file `name` into one clear line; a reader of our output that left is no error."""
    try:
        yield
    except BrokenPipeError:
        # Python would complain once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except CaptureError as error:
        fail(f"{name}: {error}")
    except OSError as error:
        fail(f"{error.filename or name}: {error.strerror or error}")
