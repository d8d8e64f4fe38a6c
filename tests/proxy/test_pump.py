"""One direction on its own: how often it calls the target, and with what."""

import socket
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from tests.proxy.harness import Memory, message
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.pump import Pump
from vudissect.proxy.recorder import Numbers, Recorder
from vudissect.wire.framing import Framer

NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))
AGAIN = BlockingIOError(11, "again")


class Target(socket.socket):
    """A socket that notes what it has been given, as bytes and number of descriptor lists.

    `answers` are for the next calls: an error to be raised, or how many bytes to take at most; None: all.
    """

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.sent: list[tuple[bytes, int]] = []
        self.answers: list[OSError | int | None] = []

    def send(self, data: Any, *flags: int) -> int:
        return self._take(bytes(data), [])

    def sendmsg(self, buffers: Any, ancillary: Any = (), *flags: Any) -> int:
        return self._take(b"".join(buffers), ancillary)

    def _take(self, data: bytes, ancillary: Any) -> int:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, OSError):
            raise answer
        sent = super().sendmsg([data[:answer]], ancillary)
        self.sent.append((data[:answer], len(ancillary)))
        return sent


class Direction:
    """A pump with the sockets around it."""

    def __init__(self) -> None:
        self.sender, source = socket.socketpair()
        target, self.receiver = socket.socketpair()
        self.target = Target(target.detach())
        self.asked_to_try_later = 0
        self.said: list[str] = []
        encoder = CaptureEncoder("", "", 65536, 0)
        self.recorder = Recorder(encoder, 65536, self.said.append)
        self._memory = Memory(encoder.preamble())
        self.recorder.add_sink(self._memory)
        flow = self.recorder.flow(1, Channel.MAIN, Side.FRONT_END)
        framer = Framer()
        self.pump = Pump(flow, source, self.target, framer, self.recorder, Numbers(), self._settle, self._try_later)

    @property
    def records(self) -> list[Record]:
        self.recorder.drain()
        return list(read_capture(BytesIO(self._memory.capture)))

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
    direction.target.answers = [OSError(109, "Too many references: cannot splice")]
    socket.send_fds(direction.sender, [KICK], [0])
    direction.pump.readable()
    assert (direction.pump.blocked, direction.pump.stalled, direction.asked_to_try_later) == (True, True, 1)
    direction.pump.flush()
    assert direction.target.sent == [(KICK, 1)]
    assert not direction.pump.blocked


def test_descriptors_that_the_kernel_refuses_are_lost_but_not_the_message(direction: Direction) -> None:
    direction.target.answers = [OSError(22, "Invalid argument")]
    socket.send_fds(direction.sender, [KICK], [0])
    direction.pump.readable()
    assert direction.target.sent == [(KICK, 0)]
    assert direction.recorder.descriptors_lost == 1
    assert "LOST" in direction.said[0]


def test_each_set_of_descriptors_leaves_with_its_byte(direction: Direction) -> None:
    for part in (KICK[:5], KICK[5:12], KICK[12:]):
        socket.send_fds(direction.sender, [part], [0])
        direction.pump.readable()
    assert direction.target.sent == [(KICK[:5], 1), (KICK[5:12], 1), (KICK[12:], 1)]


def test_while_too_many_descriptors_are_in_flight_those_in_the_queue_are_taken_out_of_it(direction: Direction) -> None:
    direction.target.answers = [OSError(109, "Too many references: cannot splice")]
    for data in (KICK, NUM, KICK):
        socket.send_fds(direction.sender, [data], [0])
        direction.pump.readable()
    assert (direction.target.sent, direction.pump.hungry) == ([], True)
    direction.pump.flush()
    assert direction.target.sent == [(KICK, 1), (NUM, 1), (KICK, 1)]
    assert [record.marks for record in direction.records] == [Mark(0)] * 3


def test_what_is_read_while_the_target_is_stalled_has_a_bound(direction: Direction) -> None:
    direction.target.answers = [OSError(109, "Too many references: cannot splice")]
    socket.send_fds(direction.sender, [KICK], [0])
    direction.pump.readable()
    sent = 0
    while direction.pump.hungry:
        sent += direction.sender.send(message("SET_LOG_BASE", bytes(60000)))
        direction.pump.readable()
    assert sent < 2 << 20


def test_what_waits_keeps_its_order(direction: Direction) -> None:
    direction.target.answers = [AGAIN, AGAIN]
    direction.sender.send(NUM)
    direction.sender.send(KICK)
    direction.pump.readable()
    assert direction.pump.blocked
    direction.pump.flush()
    assert direction.target.sent == [(NUM, 0), (KICK, 0)]


def test_a_row_that_is_interrupted_goes_on_where_it_stopped(direction: Direction) -> None:
    numbered = [message("SET_VRING_NUM", number.to_bytes(8, "little")) for number in range(100)]
    direction.target.answers = [*[None] * 50, AGAIN, AGAIN]
    direction.sender.send(b"".join(numbered))
    direction.pump.readable()
    assert len(direction.target.sent) == 50
    assert direction.pump.blocked
    direction.pump.flush()
    assert [data for data, _ in direction.target.sent] == numbered
    records = direction.records
    assert [record.data for record in records] == numbered
    assert [record.sequence for record in records] == list(range(1, 101))
    assert [record.marks for record in records] == [Mark(0), *[Mark.GLUED] * 99]


def test_a_message_of_which_a_part_is_taken_is_finished_later(direction: Direction) -> None:
    direction.target.answers = [None, 5, AGAIN, 7]
    direction.sender.send(NUM + KICK + NUM)
    direction.pump.readable()
    assert direction.target.sent == [(NUM, 0), (KICK[:5], 0)]
    direction.pump.flush()
    assert direction.target.sent[2:] == [(KICK[5:12], 0), (KICK[12:], 0), (NUM, 0)]
    assert [record.data for record in direction.records] == [NUM, KICK, NUM]


def test_descriptors_leave_with_the_first_part(direction: Direction) -> None:
    direction.target.answers = [5]
    socket.send_fds(direction.sender, [KICK], [0])
    direction.pump.readable()
    assert direction.target.sent == [(KICK[:5], 1), (KICK[5:], 0)]


def test_the_target_goes_in_the_middle_of_a_row(direction: Direction) -> None:
    direction.target.answers = [None, BrokenPipeError(32, "Broken pipe")]
    direction.sender.send(NUM + KICK + NUM)
    direction.pump.readable()
    assert (direction.pump.blocked, direction.pump.broken) == (False, "stopped reading")
    assert [record.marks for record in direction.records] == [
        Mark(0),
        Mark.GLUED | Mark.NOT_FORWARDED,
        Mark.GLUED | Mark.NOT_FORWARDED,
    ]
    assert direction.pump.undelivered == len(KICK + NUM)
