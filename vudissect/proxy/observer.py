"""The live transcript: another process that reads the capture as it grows, so that the relay does not pay for it."""

import fcntl
import json
import os
import select
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, sleep

from vudissect.host.python import python_module
from vudissect.proxy.diagnostics import Warn
from vudissect.proxy.sink import MakeGap, PipeSink

# Linux's fcntl.h; room for some thousand messages, so that the transcript does not miss a burst.
_F_SETPIPE_SZ = 1031
_PIPE_SIZE = 1 << 20
_NICENESS = 5
_REPORT_FD = 3
_PATIENCE_SECONDS = 5.0
_LAST_SECONDS = 1.0
_LOOK_EVERY_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of an observer: counts by name, and the requests that waited long without an answer."""

    counts: dict[str, int] = field(default_factory=dict)
    waits: tuple[str, ...] = ()


class Observer:
    """A running observer, the process `pid`, started with `options`: it shows what its `sink` receives.

    If it falls behind it misses messages, and reports that.
    """

    def __init__(self, options: Sequence[str], preamble: bytes, gap: MakeGap, warn: Warn) -> None:
        feed_end, feed = os.pipe()
        self._report, report_end = os.pipe()
        with suppress(OSError):
            fcntl.fcntl(feed, _F_SETPIPE_SZ, _PIPE_SIZE)
        command = [*python_module("vudissect.cli.observe"), "--report-fd", str(_REPORT_FD)]
        self.pid = os.posix_spawn(
            command[0],
            [*command, *options],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, feed_end, 0),
                (os.POSIX_SPAWN_DUP2, report_end, _REPORT_FD),
            ],
            # What interrupts the proxy must not keep the last messages out of the transcript.
            setpgroup=0,
        )
        os.close(feed_end)
        os.close(report_end)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.pid, _NICENESS)
        self.sink = PipeSink(feed, "live transcript", gap, warn)
        self.sink.write([preamble])

    def finish(self) -> Report:
        """Its report, once the sink is closed; if it does not come within a few seconds, it is ended and has none."""
        report = b""
        deadline = monotonic() + (0 if self.sink.unwritten else _PATIENCE_SECONDS)
        while (left := deadline - monotonic()) > 0 and select.select([self._report], [], [], left)[0]:
            part = os.read(self._report, 4096)
            if not part:
                break
            report += part
        self._end(deadline)
        if not report:
            return Report()
        found = json.loads(report)
        return Report(found["counts"], tuple(found["waits"]))

    def abandon(self) -> None:
        """End it, because there is nothing to show."""
        os.kill(self.pid, signal.SIGKILL)
        self.sink.close()
        self._end(monotonic())

    def _end(self, deadline: float) -> None:
        """Wait until it has ended, kill it at the deadline, and abandon it if even that does not end it."""
        os.close(self._report)
        killed = False
        while not os.waitpid(self.pid, os.WNOHANG)[0]:
            if monotonic() >= deadline:
                if killed:
                    return
                os.kill(self.pid, signal.SIGKILL)
                killed = True
                deadline = monotonic() + _LAST_SECONDS
            sleep(_LOOK_EVERY_SECONDS)
