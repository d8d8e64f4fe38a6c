"""The observation of rings of a running vuproxy, as a separate process.

It writes an empty line once it is ready. Then it reads the capture from standard input and the descriptors of its
messages from a socket, and writes each observation as a line of JSON: the number of the connection, and the details of
the record. From the socket it also reads which connection is about to be closed: it looks at that one once more, and
then writes a line without details.
"""

import json
import os
import select
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from time import monotonic_ns

import click

from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError
from vudissect.capture.reader import read_capture
from vudissect.cli.errors import clear_errors
from vudissect.cli.program import Program
from vudissect.proxy.companion import REPORT_FD
from vudissect.proxy.descriptor_pool import DescriptorPool
from vudissect.proxy.offered import Offered
from vudissect.proxy.ring_observer import MOST_FDS, PACKET_SIZE, RIGHTS_FD
from vudissect.proxy.rings import RingWatch, Seen

_STDIN = 0
_SECOND = 1_000_000_000


class _Feed:
    """Standard input, and the descriptors that come before it.

    `caught_up` is called with the time (ns) when all that was read has been used, `in_pause` when at least the
    interval is over since it was called last, and `closing` with a connection when all that came before it is closed
    has been used.
    """

    def __init__(self, rights: socket.socket, pool: DescriptorPool, interval: float) -> None:
        self.caught_up: Callable[[int], None] = lambda now: None
        self.in_pause: Callable[[int], None] = lambda now: None
        self.closing: Callable[[int, int], None] = lambda connection, now: None
        self._rights = rights
        self._sources: list[int | socket.socket] = [_STDIN, rights]
        self._closing: deque[int] = deque()
        self._pool = pool
        self._interval = int(interval * _SECOND)
        self._next = monotonic_ns() + self._interval

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        self.caught_up(monotonic_ns())
        while True:
            now = monotonic_ns()
            if now >= self._next:
                self._next = now + self._interval
                self.in_pause(now)
                continue
            wait = 0 if self._closing else (self._next - now) / _SECOND
            readable = select.select(self._sources, [], [], wait)[0]
            if _STDIN in readable:
                data = os.read(_STDIN, size)
                self._receive()
                return data
            if readable:
                self._receive()
                continue
            while self._closing:
                self.closing(self._closing.popleft(), now)

    def _receive(self) -> None:
        """Take in the descriptors that were sent before what was just read, and which connections are being closed."""
        rights = self._rights
        while rights in self._sources and select.select([rights], [], [], 0)[0]:
            data, fds, _, _ = socket.recv_fds(rights, PACKET_SIZE, MOST_FDS)
            if not data:
                self._sources.remove(rights)
            elif isinstance(content := json.loads(data), int):
                self._closing.append(content)
            else:
                # Without room for all descriptors, the last ones are missing.
                for fd, (identity, slow_to_close) in zip(fds, content, strict=False):
                    self._pool.add(Offered(fd, identity, slow_to_close))


@click.command(cls=Program)
@click.option("--interval", type=float, required=True)
@click.option("--requests", is_flag=True)
def main(interval: float, requests: bool) -> None:
    """Observe the rings of a session while it is recorded; started by vuproxy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # vuproxy ends the stream when it is done
    pool = DescriptorPool()
    feed = _Feed(socket.socket(fileno=RIGHTS_FD), pool, interval)
    watch = RingWatch(pool, requests=requests)
    os.write(REPORT_FD, b"\n")  # it is ready
    with clear_errors("observation of rings"):
        analysis = Analysis(read_capture(feed), live=True, rules=())

        def in_pause(now: int) -> None:
            _report(watch.look(now))
            pool.age(now)

        def closing(connection: int, now: int) -> None:
            _report(watch.look_before_closing(connection, now))
            os.write(REPORT_FD, _line(connection, None))

        feed.caught_up = lambda now: _report(watch.look_at_changed(now))
        feed.in_pause = in_pause
        feed.closing = closing
        try:
            for event, _ in analysis:
                _report(watch.see(event))
        except CaptureError:
            return
        finally:
            watch.close()


def _report(seen: Iterable[Seen]) -> None:
    lines = [_line(connection, observation.details) for connection, observation in seen]
    if lines:
        os.write(REPORT_FD, b"".join(lines))


def _line(connection: int, details: Mapping[str, str | int] | None) -> bytes:
    return json.dumps([connection, details]).encode() + b"\n"


if __name__ == "__main__":
    # The program that the user started.
    sys.argv[0] = "vuproxy"
    main()
