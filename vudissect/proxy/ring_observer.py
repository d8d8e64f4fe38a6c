"""The observation of rings, by another process: it receives the descriptors of memory and rings as they are passed.

It can read guest memory only through these, and whatever it meets there, the relay goes on.
"""

import json
import os
import select
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from vudissect.proxy.companion import Companion
from vudissect.proxy.diagnostics import Warn
from vudissect.proxy.sink import MakeGap

# The number of the socket for descriptors in the other process.
RIGHTS_FD = 4
_PATIENCE_SECONDS = 2.0
_START_SECONDS = 30.0
_READ_SIZE = 65536
_SEND_BUFFER = 1 << 20

# Receives an observation: the connection, and the details of its record.
Observed = Callable[[int, Mapping[str, str | int]], None]


@dataclass(frozen=True, slots=True)
class RingOptions:
    """What to observe: only positions and counters, or also the headers of requests; how often, in seconds."""

    requests: bool = False
    interval: float = 1.0


class RingObserver(Companion):
    """A running observer of rings; `observed` is called for each of its observations."""

    # A burst of messages keeps it busy for longer than a round trip takes.
    niceness = 10

    def __init__(self, options: RingOptions, preamble: bytes, gap: MakeGap, warn: Warn, observed: Observed) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        with suppress(OSError):
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        words = ["--interval", str(options.interval), *(["--requests"] if options.requests else [])]
        with theirs:
            super().__init__(
                "vudissect.cli.watch_rings",
                words,
                "observation of rings",
                preamble,
                gap,
                warn,
                {RIGHTS_FD: theirs.fileno()},
            )
        self._rights = ours
        self._warn = warn
        self._wait_until_ready()
        self._observed = observed
        self._partial = b""
        self._lost = False

    def _wait_until_ready(self) -> None:
        """Wait for its first line, so that a short session is not over before it looks. `OSError` if none comes."""
        is_there = select.select([self.report], [], [], _START_SECONDS)[0]
        if not is_there or os.read(self.report, 1) != b"\n":
            self.abandon()
            raise OSError(0, "its process did not start")

    def offer(self, fds: list[int]) -> None:
        """Pass it the descriptors of a message, before the message itself."""
        try:
            socket.send_fds(self._rights, [b"\0"], fds)
        except OSError as error:
            if not self._lost:
                self._lost = True
                self._warn(f"rings: descriptors could not be passed to the observer: {error.strerror}")

    def read(self) -> None:
        """Read what it has observed since."""
        *lines, self._partial = (self._partial + os.read(self.report, _READ_SIZE)).split(b"\n")
        for line in lines:
            connection, details = json.loads(line)
            self._observed(connection, details)

    def finish(self) -> None:
        """End it, once the sink is closed: all connections are, so that nothing is left to observe."""
        self._rights.close()
        self.end(monotonic() + _PATIENCE_SECONDS)
