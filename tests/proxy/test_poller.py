"""Turns of the loop: which callbacks are called, and how long it continues by itself."""

import socket
from collections.abc import Iterator

import pytest

from vudissect.proxy.poller import READABLE, Poller


class Readable:
    """A socket with bytes to read, in a poller; `reads` counts the calls, each of which reads a byte if `takes`."""

    def __init__(self, waiting: int) -> None:
        self.reads = 0
        self.takes = True
        self.failures: list[Exception] = []
        self.poller = Poller(lambda _, error: self.failures.append(error))
        self._source, self._peer = socket.socketpair()
        self._peer.send(bytes(waiting))
        self.poller.watch(self._source.fileno(), READABLE, self._read, lambda _: None)

    def _read(self) -> None:
        self.reads += 1
        if self.takes:
            self._source.recv(1)

    def close(self) -> None:
        self.poller.close()
        self._source.close()
        self._peer.close()


@pytest.fixture
def readable() -> Iterator[Readable]:
    readable = Readable(waiting=10)
    yield readable
    readable.close()


def test_it_continues_until_there_is_nothing_left(readable: Readable) -> None:
    assert not readable.poller.run_on(lambda: True)
    assert readable.reads == 10


def test_it_continues_only_while_it_may(readable: Readable) -> None:
    assert readable.poller.run_on(lambda: readable.reads < 3)
    assert readable.reads == 3


def test_it_does_not_continue_for_ever(readable: Readable) -> None:
    readable.takes = False
    assert readable.poller.run_on(lambda: True)


def test_a_timer_is_not_delayed(readable: Readable) -> None:
    due: list[int] = []
    readable.takes = False
    readable.poller.later(0, lambda: due.append(readable.reads))
    assert readable.poller.run_on(lambda: True)
    assert due == [1]
