"""Another process that reads the capture as it grows, so that the relay does not pay for what it does."""

import fcntl
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Final

from vudissect.host.python import python_module
from vudissect.proxy.diagnostics import Warn
from vudissect.proxy.sink import MakeGap, PipeSink

# Linux's fcntl.h; room for some thousand messages, so that it does not miss a burst.
_F_SETPIPE_SZ = 1031
_PIPE_SIZE = 1 << 20
_LAST_SECONDS = 1.0
_LOOK_EVERY_SECONDS = 0.002

REPORT_FD: Final = 3
"""The descriptor on which it reports."""


class Companion:
    """A running process `pid` of a module: it reads what its `sink` receives, and writes to what `report` reads.

    `passed` are descriptors for it, by their numbers there. If it falls behind it misses messages, and its `name` is in
    the warning.
    """

    niceness = 5
    """How far it steps back when the relay and the peers need the processor."""

    def __init__(
        self,
        module: str,
        options: Sequence[str],
        name: str,
        preamble: bytes,
        gap: MakeGap,
        warn: Warn,
        passed: Mapping[int, int] | None = None,
    ) -> None:
        feed_end, feed = os.pipe()
        self.report, report_end = os.pipe()
        with suppress(OSError):
            fcntl.fcntl(feed, _F_SETPIPE_SZ, _PIPE_SIZE)
        command = python_module(module)
        self.pid = os.posix_spawn(
            command[0],
            [*command, *options],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, fd, number)
                for number, fd in {0: feed_end, REPORT_FD: report_end, **(passed or {})}.items()
            ],
            # What interrupts the proxy must not keep it from reading the last messages.
            setpgroup=0,
        )
        os.close(feed_end)
        os.close(report_end)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.pid, self.niceness)
        self.sink = PipeSink(feed, name, gap, warn)
        self.sink.write([preamble])

    def abandon(self) -> None:
        """End it, because there is nothing to read."""
        os.kill(self.pid, signal.SIGKILL)
        self.sink.close()
        self.end(monotonic())

    def end(self, deadline: float) -> None:
        """Wait until it has ended, kill it at the deadline, and abandon it if even that does not end it."""
        os.close(self.report)
        killed = False
        while not os.waitpid(self.pid, os.WNOHANG)[0]:
            if monotonic() >= deadline:
                if killed:
                    return
                os.kill(self.pid, signal.SIGKILL)
                killed = True
                deadline = monotonic() + _LAST_SECONDS
            sleep(_LOOK_EVERY_SECONDS)
