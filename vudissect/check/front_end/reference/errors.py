"""What ends a session of the reference front-end, and the faults that are the same everywhere."""

import signal
from typing import NoReturn


class GiveUpError(Exception):
    """The back-end does what no front-end can use; one line."""


class LostError(Exception):
    """The back-end has closed the connection; one line."""


# Faults that are a crash where the front-end should say what is wrong.
DEADLY = (
    *("F-01", "F-03", "F-10", "F-20", "F-26", "F-29", "F-35", "F-42", "F-43", "F-60", "F-61"),
    *("F-65", "F-68", "F-69", "F-71", "F-72", "F-73"),
)


def hang() -> NoReturn:
    """Do nothing any more, not even end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    while True:
        signal.pause()
