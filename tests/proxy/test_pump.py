"""One direction on its own: how often it calls the target, and with what."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.proxy.harness import message
from vudissect.capture.codec import CaptureEncoder
from vudissect.proxy.pump import Pump
from vudissect.proxy.recorder import Recorder
from vudissect.spec.model import Channel, Side
from vudissect.wire.framing import Framer

NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))


class Target(socket.socket):
    """A socket that notes what it is told to send, and can be made to refuse."""

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.sent: list[tuple[bytes, int]] = []
        self.refusals: list[OSError] = []

    def send(self, data: Any, *flags: int) -> int:
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append((bytes(data), 0))
        return super().send(data, *flags)

    def sendmsg(self, buffers: Any, ancillary: Any = (), *flags: Any) -> int:
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append((b"".join(buffers), len(ancillary)))
        return super().sendmsg(buffers, ancillary, *flags)


class Direction:
    """A pump with the sockets around it."""

    def __init__(self) -> None:
        self.sender, source = socket.socketpair()
        target, self.receiver = socket.socketpair()
        self.target = Target(target.detach())
        self.asked_to_try_later = 0
        self.said: list[str] = []
        self.recorder = Recorder(CaptureEncoder("", "", 65536, 0), 65536, self.said.append)
        flow = self.recorder.flow(1, Channel.MAIN, Side.FRONT_END)
        framer = Framer(Channel.MAIN, Side.FRONT_END)
        self.pump = Pump(flow, source, self.target, framer, self.recorder, lambda _: 1, self._settle, self._try_later)

    def _settle(self) -> None:
        """Nobody is there who would draw conclusions."""

    def _try_later(self) -> None:
        self.asked_to_try_later += 1


@pytest.fixture
def direction() -> Iterator[Direction]:
    direction = Direction()
    yield direction
    direction.recorder.drain()


def test_glued_messages_leave_one_by_one(direction: Direction) -> None:
    direction.sender.send(NUM + KICK + NUM)
    direction.pump.readable()
    assert direction.target.sent == [(NUM, 0), (KICK, 0), (NUM, 0)]


def test_a_message_with_descriptors_leaves_with_one_call(direction: Direction) -> None:
    direction.sender.send(NUM)
    socket.send_fds(direction.sender, [KICK], [0, 1])
    direction.pump.readable()
    assert direction.target.sent == [(NUM, 0), (KICK, 1)]


def test_a_split_message_leaves_with_one_call(direction: Direction) -> None:
    for part in (NUM[:5], NUM[5:12], NUM[12:]):
        direction.sender.send(part)
        direction.pump.readable()
    assert direction.target.sent == [(NUM, 0)]


def test_too_many_descriptors_in_flight_are_tried_again_later(direction: Direction) -> None:
    direction.target.refusals = [OSError(109, "Too many references: cannot splice")]
    socket.send_fds(direction.sender, [KICK], [0])
    direction.pump.readable()
    assert (direction.pump.blocked, direction.pump.stalled, direction.asked_to_try_later) == (True, True, 1)
    direction.pump.flush()
    assert direction.target.sent == [(KICK, 1)]
    assert not direction.pump.blocked


def test_descriptors_that_the_kernel_refuses_are_lost_but_not_the_message(direction: Direction) -> None:
    direction.target.refusals = [OSError(22, "Invalid argument")]
    socket.send_fds(direction.sender, [KICK], [0])
    direction.pump.readable()
    assert direction.target.sent == [(KICK, 0)]
    assert direction.recorder.descriptors_lost == 1
    assert "LOST" in direction.said[0]


def test_more_descriptors_on_one_message_than_one_call_can_take(direction: Direction) -> None:
    socket.send_fds(direction.sender, [KICK[:12]], [0] * 200)
    direction.pump.readable()
    socket.send_fds(direction.sender, [KICK[12:]], [0] * 200)
    direction.pump.readable()
    assert direction.receiver.recv(100) == KICK
    assert direction.recorder.descriptors_lost == 1


def test_what_waits_keeps_its_order(direction: Direction) -> None:
    direction.target.refusals = [BlockingIOError(11, "again")] * 2
    direction.sender.send(NUM)
    direction.sender.send(KICK)
    direction.pump.readable()
    assert direction.pump.blocked
    direction.pump.flush()
    assert direction.target.sent == [(NUM, 0), (KICK, 0)]
