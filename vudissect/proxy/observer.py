"""The live transcript: a process of its own that is fed the capture as it grows, so that the relay pays nothing."""

import fcntl
import json
import os
import select
import signal
import sys
from contextlib import suppress
from time import monotonic

from vudissect.proxy.sink import MakeGap, PipeSink, Warn

# Linux's fcntl.h; room for some thousand messages, so that a burst is not missing from the transcript.
_F_SETPIPE_SZ = 1031
_PIPE_SIZE = 1 << 20
_NICENESS = 5
_REPORT_FD = 3
_PATIENCE_SECONDS = 5.0


class Observer:
    """A running observer: what its `sink` takes is shown. If it falls behind it misses messages, and says so."""

    def __init__(self, verbose: bool, preamble: bytes, gap: MakeGap, warn: Warn) -> None:
        feed_end, feed = os.pipe()
        self._report, report_end = os.pipe()
        with suppress(OSError):
            fcntl.fcntl(feed, _F_SETPIPE_SZ, _PIPE_SIZE)
        # -P: the modules of the current directory are not the observer's.
        command = [sys.executable, "-P", "-m", "vudissect.cli.observe", "--report-fd", str(_REPORT_FD)]
        self._pid = os.posix_spawn(
            sys.executable,
            [*command, "-v"] if verbose else command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, feed_end, 0),
                (os.POSIX_SPAWN_DUP2, report_end, _REPORT_FD),
            ],
            # What interrupts the proxy must not take the transcript of its last messages along.
            setpgroup=0,
        )
        os.close(feed_end)
        os.close(report_end)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._pid, _NICENESS)
        self.sink = PipeSink(feed, "live transcript", gap, warn)
        self.sink.write([preamble])

    def finish(self) -> dict[str, int]:
        """What it has found, once the sink is closed; empty if it does not say so in a few seconds, which ends it."""
        report = b""
        deadline = monotonic() + _PATIENCE_SECONDS
        while (left := deadline - monotonic()) > 0 and select.select([self._report], [], [], left)[0]:
            part = os.read(self._report, 4096)
            if not part:
                break
            report += part
        else:
            os.kill(self._pid, signal.SIGKILL)
        os.close(self._report)
        os.waitpid(self._pid, 0)
        findings: dict[str, int] = json.loads(report or b"{}")
        return findings
