"""Closing descriptors without waiting.

Closing a file can wait for a file server, a device for its hardware, a network socket for its peer; and it may
report an error that nobody here can handle. Such descriptors are closed by separate threads.
"""

import os
from contextlib import suppress
from queue import SimpleQueue

from vudissect.host.background import in_background

# This many closes may hang before descriptors pile up.
_MOST_THREADS = 8


def close(fd: int) -> None:
    """Close a descriptor that this process has received, at once."""
    with suppress(OSError):
        os.close(fd)


class SlowCloser:
    """Closes descriptors in the background if closing may be slow."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[int] = SimpleQueue()
        self._threads = 0
        self._idle: SimpleQueue[None] = SimpleQueue()

    def close(self, fd: int) -> None:
        """Close a descriptor soon."""
        self._queue.put(fd)
        if self._queue.qsize() > self._idle.qsize() and self._threads < _MOST_THREADS:
            self._threads += 1
            in_background(self._run)

    def _run(self) -> None:
        while True:
            self._idle.put(None)
            fd = self._queue.get()
            self._idle.get()
            close(fd)


_SHARED = SlowCloser()


def close_soon(fd: int) -> None:
    """Close a descriptor for which that may be slow."""
    _SHARED.close(fd)
