"""Standard input, output and error: a program may be started without them, and must not open something else there."""

import os
import sys

_STDIN, _STDOUT, _STDERR = range(3)

# Reading from a closed stream and writing to it must keep failing, so each is opened in the wrong direction.
# Text for standard error is dropped.
_PLACEHOLDERS = {_STDIN: os.O_WRONLY, _STDOUT: os.O_RDONLY, _STDERR: os.O_WRONLY}


def hide(fd: int) -> None:
    """Discard everything written to `fd` from now on; raises `OSError`."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)


def hold_places() -> None:
    """Occupy the closed ones of the descriptors 0 to 2; call before anything else is opened. Raises `OSError`."""
    for fd, mode in _PLACEHOLDERS.items():
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free number is this one.
            os.set_inheritable(os.open(os.devnull, mode), True)
    # Python has no stream for a closed descriptor, and prints text for standard error to standard output.
    if sys.stdin is None:
        sys.stdin = open(_STDIN, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(_STDOUT, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(_STDERR, "w", closefd=False)  # noqa: SIM115
