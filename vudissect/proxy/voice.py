"""What the proxy says to people. Nobody has to read it: whoever does not can neither stop the relay nor be flooded."""

import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from time import monotonic

from vudissect.host.text import escaped

Warn = Callable[[str], None]

_STDERR = 2
_MOST_WAITING = 100
_LAST_CHANCE_SECONDS = 2.0


class Voice:
    """Says lines on standard error, in a thread of its own: a pipe that is full or a stopped terminal may block it."""

    def __init__(self, program: str, fd: int = _STDERR) -> None:
        self._program = program
        self._fd = fd
        self._encoding = sys.stderr.encoding
        self._waiting: Queue[bytes | None] = Queue(_MOST_WAITING)
        self._unsaid = 0
        # As a daemon, it does not keep the program from ending.
        self._thread = Thread(target=self._write_all, daemon=True)
        # Signals are for the thread that relays: they interrupt its wait.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits to be said."""
        return self._waiting.empty()

    def __call__(self, text: str) -> None:
        """Say this as soon as it will be read; if too much waits already, only say how much that was."""
        unsaid = f"{self._program}: {self._unsaid} lines are left out here\n" if self._unsaid else ""
        try:
            shown = "\n".join(map(escaped, text.split("\n")))
            line = f"{unsaid}{self._program}: {shown}\n"
            self._waiting.put_nowait(line.encode(self._encoding, "backslashreplace"))
            self._unsaid = 0
        except Full:
            self._unsaid += 1

    def close(self) -> None:
        """Give the reader a last chance to read what was said."""
        deadline = monotonic() + _LAST_CHANCE_SECONDS
        with suppress(Full):
            self._waiting.put(None, timeout=_LAST_CHANCE_SECONDS)
        self._thread.join(max(0.0, deadline - monotonic()))

    def _write_all(self) -> None:
        while (data := self._waiting.get()) is not None:
            # Whoever closes standard error does not want to read it; the traffic goes on.
            with suppress(OSError):
                self._write(data)

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                # Somebody else who has it open wants it so.
                select.select([], [self._fd], [])


class Repeated:
    """Says things of one kind: the first at once, and then only the tenth, the hundredth, ..., with their number."""

    def __init__(self, say: Warn) -> None:
        self._say = say
        self._times = 0
        self._next = 1

    def __call__(self, text: str) -> None:
        """Say it, or only count it."""
        self._times += 1
        if self._times == self._next:
            self._next *= 10
            self._say(text if self._times == 1 else f"{text} ({self._times} times so far)")
