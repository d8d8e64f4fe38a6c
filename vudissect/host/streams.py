"""Standard input, output and error: a program may be started without them, and must not open something else there."""

import os
import sys

_STDIN, _STDOUT, _STDERR = range(3)

# Reading from what was closed, and writing to it, must fail as it would have: so each is opened the wrong way round.
# What would be said on standard error is dropped.
_PLACEHOLDERS = {_STDIN: os.O_WRONLY, _STDOUT: os.O_RDONLY, _STDERR: os.O_WRONLY}


def hide(fd: int) -> None:
    """Let nothing that is written to `fd` arrive there any more; `OSError`."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)


def hold_places() -> None:
    """Occupy those of the descriptors 0 to 2 that are closed; before anything else is opened. `OSError`."""
    for fd, mode in _PLACEHOLDERS.items():
        try:
            os.fstat(fd)
        except OSError:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, mode), True)
    # Python has none where the descriptor was closed, and prints to standard output what is for standard error.
    if sys.stdin is None:
        sys.stdin = open(_STDIN, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(_STDOUT, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(_STDERR, "w", closefd=False)  # noqa: SIM115
