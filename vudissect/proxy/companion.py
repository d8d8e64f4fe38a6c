"""Another process that reads the capture as it grows, so that the relay does not pay for what it does."""

import fcntl
import os
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from vudissect.host.endpoint import Listener
from vudissect.host.python import python_module
from vudissect.proxy.diagnostics import Warn
from vudissect.proxy.sink import MakeGap, PipeSink

# Linux's fcntl.h; room for some thousand messages, so that it does not miss a burst.
_F_SETPIPE_SZ = 1031
_PIPE_SIZE = 1 << 20
_LAST_SECONDS = 1.0
_LOOK_EVERY_SECONDS = 0.002
_START_SECONDS = 30.0

REPORT_FD: Final = 3
"""The descriptor on which it reports."""


@dataclass(frozen=True, slots=True)
class Feed:
    """How the capture that a process reads begins, the note about messages it lost, and where to report those."""

    preamble: bytes
    gap: MakeGap
    warn: Warn


class Companion:
    """A running process `pid` of a module: it reads what its `sink` receives, and writes to what `report` reads.

    `passed` are descriptors for it, by their numbers there, and `listener` is closed when it has ended. If it falls
    behind it misses messages, and its `name` is in the warning.
    """

    niceness = 5
    """How far it steps back when the relay and the peers need the processor."""

    patience = 2.0
    """How many seconds it has to end when there is nothing more to read."""

    line = ""
    """What is reported when all have started."""

    def __init__(
        self,
        module: str,
        options: Sequence[str],
        name: str,
        feed: Feed,
        passed: Mapping[int, int] | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._listener = listener
        feed_end, capture = os.pipe()
        self.report, report_end = os.pipe()
        with suppress(OSError):
            fcntl.fcntl(capture, _F_SETPIPE_SZ, _PIPE_SIZE)
        command = python_module(module)
        with _out_of_the_way({0: feed_end, REPORT_FD: report_end, **(passed or {})}) as fds:
            self.pid = os.posix_spawn(
                command[0],
                [*command, *options],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in fds.items()],
                # What interrupts the proxy must not keep it from reading the last messages.
                setpgroup=0,
            )
        os.close(feed_end)
        os.close(report_end)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.pid, self.niceness)
        self.sink = PipeSink(capture, name, feed.gap, feed.warn)
        self.sink.write([feed.preamble])

    def wait_until_ready(self) -> None:
        """Wait for its first line, which is empty. `OSError` if none comes; then it is abandoned."""
        if not select.select([self.report], [], [], _START_SECONDS)[0] or os.read(self.report, 1) != b"\n":
            self.abandon()
            raise OSError(0, "its process did not start")

    def finish(self) -> None:
        """End it, once the sink is closed."""
        self.end(monotonic() + self.patience)

    def abandon(self) -> None:
        """End it, because there is nothing to read."""
        os.kill(self.pid, signal.SIGKILL)
        self.sink.close()
        self.end(monotonic())

    def end(self, deadline: float) -> None:
        """Wait until it has ended, kill it at the deadline, and abandon it if even that does not end it."""
        os.close(self.report)
        if self._listener is not None:
            self._listener.close()
        killed = False
        while not os.waitpid(self.pid, os.WNOHANG)[0]:
            if monotonic() >= deadline:
                if killed:
                    return
                os.kill(self.pid, signal.SIGKILL)
                killed = True
                deadline = monotonic() + _LAST_SECONDS
            sleep(_LOOK_EVERY_SECONDS)


@contextmanager
def _out_of_the_way(fds: Mapping[int, int]) -> Iterator[Mapping[int, int]]:
    """Copies of descriptors, none of which has a number that another one will get."""
    copies: dict[int, int] = {}
    try:
        for number, fd in fds.items():
            copies[number] = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(fds) + 1)
        yield copies
    finally:
        for copy in copies.values():
            os.close(copy)
