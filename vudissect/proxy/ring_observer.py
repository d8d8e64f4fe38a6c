"""The observation of rings, by another process: it receives the descriptors of memory and rings as they are passed.

It can read guest memory only through these, and whatever it meets there, the relay goes on.
"""

import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from vudissect.proxy.companion import Companion, Feed
from vudissect.proxy.offered import Offered

# The number of the socket for descriptors in the other process. A packet is JSON: a list with the identity of each of
# its descriptors and whether closing that may be slow, or the number of a connection, which is about to be closed.
RIGHTS_FD = 4
# The kernel passes at most so many descriptors with one packet, whose JSON is shorter than this.
MOST_FDS = 253
PACKET_SIZE = 1 << 16
# So long a connection is kept from being recorded as closed.
_LAST_LOOK_SECONDS = 0.5
_READ_SIZE = 65536
_SEND_BUFFER = 1 << 20

# Receives an observation: the connection, and the details of its record.
Observed = Callable[[int, Mapping[str, str | int]], None]
# Calls a function once, some seconds later.
Later = Callable[[float, Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class RingOptions:
    """What to observe: only positions and counters, or also the headers of requests; how often, in seconds."""

    requests: bool = False
    interval: float = 1.0


class RingObserver(Companion):
    """A running observer of rings; `observed` is called for each of its observations."""

    # A burst of messages keeps it busy for longer than a round trip takes.
    niceness = 10

    def __init__(self, options: RingOptions, feed: Feed, observed: Observed, later: Later) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with suppress(OSError):
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        words = ["--interval", str(options.interval), *(["--requests"] if options.requests else [])]
        with theirs:
            passed = {RIGHTS_FD: theirs.fileno()}
            super().__init__("vudissect.cli.watch_rings", words, "observation of rings", feed, passed)
        self._rights = ours
        self._warn = feed.warn
        # A short session must not be over before it looks.
        self.wait_until_ready()
        self._observed = observed
        self._later = later
        self._closing: dict[int, Callable[[], None]] = {}
        self._partial = b""
        self._lost = False

    def offer(self, offered: list[Offered]) -> None:
        """Pass it the descriptors of messages, before the messages themselves."""
        try:
            for first in range(0, len(offered), MOST_FDS):
                part = offered[first : first + MOST_FDS]
                names = json.dumps([each[1:] for each in part]).encode()
                socket.send_fds(self._rights, [names], [each.fd for each in part])
        except OSError as error:
            if not self._lost:
                self._lost = True
                self._warn(f"rings: descriptors could not be passed to the observer: {error.strerror}")

    def last_look(self, connection: int, then: Callable[[], None]) -> None:
        """Let it look at the rings of a connection once more, and call `then` after that, or after a moment.

        Everything about the connection must have been written to the sink.
        """
        self._closing[connection] = then
        try:
            self._rights.send(json.dumps(connection).encode())
        except OSError:
            self._looked(connection)
        else:
            self._later(_LAST_LOOK_SECONDS, partial(self._looked, connection))

    def read(self) -> None:
        """Read what it has observed since."""
        *lines, self._partial = (self._partial + os.read(self.report, _READ_SIZE)).split(b"\n")
        for line in lines:
            connection, details = json.loads(line)
            if details is None:
                self._looked(connection)
            else:
                self._observed(connection, details)

    def _looked(self, connection: int) -> None:
        then = self._closing.pop(connection, None)
        if then is not None:
            then()

    def finish(self) -> None:
        """End it, once the sink is closed: all connections are, so that nothing is left to observe."""
        self._rights.close()
        super().finish()
