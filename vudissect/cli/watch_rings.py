"""The observation of rings of a running vuproxy, as a separate process.

It writes an empty line once it is ready. Then it reads the capture from standard input and the descriptors of its
messages from a socket, and writes each observation as a line of JSON: the number of the connection, and the details of
the record.
"""

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from time import monotonic_ns

import click

from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError
from vudissect.capture.reader import read_capture
from vudissect.cli.errors import clear_errors
from vudissect.cli.program import Program
from vudissect.proxy.companion import REPORT_FD
from vudissect.proxy.descriptor_pool import DescriptorPool
from vudissect.proxy.ring_observer import RIGHTS_FD
from vudissect.proxy.rings import RingWatch, Seen

_STDIN = 0
_SECOND = 1_000_000_000
_MOST_FDS = 253


class _Feed:
    """Standard input, and the descriptors that come before it.

    `caught_up` is called with the time (ns) when all that was read has been used, and `in_pause` when at least the
    interval is over since it was called last.
    """

    def __init__(self, rights: socket.socket, pool: DescriptorPool, interval: float) -> None:
        self.caught_up: Callable[[int], None] = lambda now: None
        self.in_pause: Callable[[int], None] = lambda now: None
        self._rights = rights
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
            elif select.select([_STDIN], [], [], (self._next - now) / _SECOND)[0]:
                data = os.read(_STDIN, size)
                self._receive()
                return data

    def _receive(self) -> None:
        """Take in the descriptors that were sent before what was just read."""
        while select.select([self._rights], [], [], 0)[0]:
            data, fds, _, _ = socket.recv_fds(self._rights, 4096, _MOST_FDS)
            for fd in fds:
                self._pool.add(fd)
            if not data:
                return


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
            pool.age()

        feed.caught_up = lambda now: _report(watch.look_at_changed(now))
        feed.in_pause = in_pause
        try:
            for event, _ in analysis:
                _report(watch.see(event))
        except CaptureError:
            return
        finally:
            watch.close()


def _report(seen: Iterable[Seen]) -> None:
    lines = [json.dumps([connection, observation.details]) + "\n" for connection, observation in seen]
    if lines:
        os.write(REPORT_FD, "".join(lines).encode())


if __name__ == "__main__":
    # The program that the user started.
    sys.argv[0] = "vuproxy"
    main()
