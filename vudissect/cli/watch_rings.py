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
from time import monotonic, monotonic_ns

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
_MOST_FDS = 253


class _Feed:
    """Standard input, and the descriptors that come before it; `in_pause` is called when the interval is over."""

    def __init__(self, rights: socket.socket, pool: DescriptorPool, interval: float) -> None:
        self.in_pause: Callable[[], None] = lambda: None
        self._rights = rights
        self._pool = pool
        self._interval = interval
        self._next = monotonic() + interval

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        while True:
            left = self._next - monotonic()
            if left <= 0:
                self._next = monotonic() + self._interval
                self.in_pause()
            elif select.select([_STDIN], [], [], left)[0]:
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

        def in_pause() -> None:
            _report(watch.look(monotonic_ns()))
            pool.age()

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
