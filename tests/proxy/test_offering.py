"""Descriptors that are offered to the observer of rings: at once for all messages that are about to be written."""

import os
import socket

import pytest

from tests.proxy.harness import message
from vudissect.capture.codec import CaptureEncoder
from vudissect.host.inspect import inspect
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.offered import Offered
from vudissect.proxy.passed import Numbering, Passed
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.rights import rights_of

KICK = message("SET_VRING_KICK", bytes(8))


class Log:
    """A recorder, what it offers and writes in this order, and which of its descriptors are open when it does."""

    lost = 0
    unwritten = False

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []
        self.open: list[bool] = []
        self.passed: list[int] = []
        self.recorder = Recorder(CaptureEncoder("test", "test", 65536, 0), 65536, self.warn)
        self.recorder.offer_descriptors(self.offer)
        self.recorder.add_sink(self)
        self._flow = self.recorder.flow(Numbering(1), Channel.MAIN, Side.FRONT_END)

    def warn(self, text: str) -> None:
        raise AssertionError(text)

    def offer(self, offered: list[Offered]) -> None:
        self.events.append(("offered", len(offered)))
        self.open += [is_open(each.fd) for each in offered]
        assert [each.identity for each in offered] == [inspect(each.fd).identity for each in offered]

    def write(self, records: list[bytes]) -> None:
        self.events.append(("written", len(records)))

    def close(self) -> None:
        """Nothing to end."""

    def forwarded(self, fd: int) -> None:
        """A message with a descriptor has been forwarded, and there is a pause."""
        rights = rights_of([fd])
        self.recorder.hold(rights)
        self.recorder.backlog.append(Passed(self._flow, 1, 1, 1, len(KICK), 0, [KICK], rights))
        self.passed.append(fd)
        self.recorder.use_pause()


@pytest.fixture
def log() -> Log:
    return Log()


def is_open(fd: int) -> bool:
    return os.path.exists(f"/proc/self/fd/{fd}")


def test_those_of_a_burst_are_offered_together_before_it_is_written(log: Log) -> None:
    for _ in range(3):
        log.forwarded(os.eventfd(0))
    assert log.events == []
    log.recorder.use_pause()

    assert log.events == [("offered", 3), ("written", 3)]
    assert log.open == [True] * 3
    assert not any(map(is_open, log.passed))


def test_they_are_offered_once(log: Log) -> None:
    log.forwarded(os.eventfd(0))
    log.recorder.drain()
    log.recorder.drain()

    assert log.events == [("offered", 1), ("written", 1), ("written", 0)]


def test_a_socket_is_neither_offered_nor_kept_open(log: Log) -> None:
    ours, theirs = socket.socketpair()
    log.forwarded(theirs.detach())

    # Its peer sees the end of it without delay.
    ours.setblocking(False)
    assert ours.recv(1) == b""
    log.recorder.use_pause()
    assert log.events == [("written", 1)]
    ours.close()


def test_in_a_flood_they_do_not_accumulate(log: Log) -> None:
    while log.recorder.has_room():
        log.forwarded(os.eventfd(0))
    log.recorder.drain()

    assert log.events == [("offered", 171), ("written", 171)]
    assert not any(map(is_open, log.passed))
