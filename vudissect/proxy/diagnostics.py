"""What the proxy reports on standard error. A slow reader cannot stop the relay, and is not flooded."""

import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from time import monotonic

from vudissect.host.background import in_background
from vudissect.host.service import INFO, WARNING, is_journal
from vudissect.host.text import escaped

Warn = Callable[[str], None]

_STDERR = 2
_MOST_WAITING = 100
_LAST_CHANCE_SECONDS = 2.0


class Diagnostics:
    """Lines on standard error, written in a separate thread because a full pipe or a stopped terminal may block it.

    In the journal of systemd a line has its priority in place of the name of the program, which the journal knows.
    """

    def __init__(self, program: str, fd: int = _STDERR) -> None:
        self._program = program
        self._fd = fd
        self._is_journal = is_journal(fd)
        self._encoding = sys.stderr.encoding
        self._waiting: Queue[bytes | None] = Queue(_MOST_WAITING)
        self._left_out = 0
        self._thread = in_background(self._write_all)

    @property
    def is_quiet(self) -> bool:
        """Whether everything has been written."""
        return self._waiting.empty()

    def __call__(self, text: str) -> None:
        """Write a warning as soon as possible; if too much is queued already, only count it and report the number."""
        self._put(text, WARNING)

    def inform(self, text: str) -> None:
        """The same for what is not a warning."""
        self._put(text, INFO)

    def _put(self, text: str, priority: int) -> None:
        left_out = self._shown(f"{self._left_out} lines left out here", WARNING) if self._left_out else ""
        try:
            line = left_out + self._shown("\n".join(map(escaped, text.split("\n"))), priority)
            self._waiting.put_nowait(line.encode(self._encoding, "backslashreplace"))
            self._left_out = 0
        except Full:
            self._left_out += 1

    def _shown(self, text: str, priority: int) -> str:
        if self._is_journal:
            return "".join(f"<{priority}>{line}\n" for line in text.split("\n"))
        return f"{self._program}: {text}\n"

    def close(self) -> None:
        """Give the reader a last chance to read the queued lines."""
        deadline = monotonic() + _LAST_CHANCE_SECONDS
        with suppress(Full):
            self._waiting.put(None, timeout=_LAST_CHANCE_SECONDS)
        self._thread.join(max(0.0, deadline - monotonic()))

    def _write_all(self) -> None:
        while (data := self._waiting.get()) is not None:
            # Whoever closes standard error does not want the text; the traffic continues.
            with suppress(OSError):
                self._write(data)

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                # Another owner of the open file has made it non-blocking.
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll()


class Throttled:
    """Reports of one kind: the first at once, then only the tenth, the hundredth, ..., with their number."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._times = 0
        self._next = 1

    def __call__(self, text: str) -> None:
        """Report it, or only count it."""
        self._times += 1
        if self._times == self._next:
            self._next *= 10
            self._warn(text if self._times == 1 else f"{text} ({self._times} times so far)")
