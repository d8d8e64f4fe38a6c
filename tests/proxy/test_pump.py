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
from vudissect.proxy.direction import Direction
from vudissect.proxy.passed import Numbering
from vudissect.proxy.pump import Ends, Notice, Pump
from vudissect.proxy.recorder import Recorder
from vudissect.wire.framing import Framer

NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))
AGAIN = BlockingIOError(11, "again")


class Target(socket.socket):
    """A socket that records its calls, as bytes and number of descriptor lists.

    `answers` are for the next calls: an error to raise, or how many bytes to accept at most; None: all.
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


class Running:
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
        flow = self.recorder.flow(Numbering(1), Channel.MAIN, Side.FRONT_END)
        self.direction = Direction(flow, Framer())
        self.pump = Pump(self.direction, Ends(source, self.target), self.recorder, self._on_notice)

    @property
    def records(self) -> list[Record]:
        self.recorder.drain()
        return list(read_capture(BytesIO(self._memory.capture)))

    def _on_notice(self, notice: Notice) -> None:
        self.asked_to_try_later += notice is Notice.STALLED


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.recorder.drain()


def test_glued_messages_are_sent_one_by_one(running: Running) -> None:
    running.sender.send(NUM + KICK + NUM)
    running.pump.readable()
    assert running.target.sent == [(NUM, 0), (KICK, 0), (NUM, 0)]


def test_a_message_with_descriptors_is_sent_with_one_call(running: Running) -> None:
    running.sender.send(NUM)
    socket.send_fds(running.sender, [KICK], [0, 1])
    running.pump.readable()
    assert running.target.sent == [(NUM, 0), (KICK, 1)]


def test_a_split_message_is_sent_with_one_call(running: Running) -> None:
    for part in (NUM[:5], NUM[5:12], NUM[12:]):
        running.sender.send(part)
        running.pump.readable()
    assert running.target.sent == [(NUM, 0)]


def test_too_many_descriptors_in_flight_are_tried_again_later(running: Running) -> None:
    running.target.answers = [OSError(109, "Too many references: cannot splice")]
    socket.send_fds(running.sender, [KICK], [0])
    running.pump.readable()
    assert (running.direction.blocked, running.direction.stalled, running.asked_to_try_later) == (True, True, 1)
    running.pump.flush()
    assert running.target.sent == [(KICK, 1)]
    assert not running.direction.blocked


def test_descriptors_that_the_kernel_refuses_are_lost_but_not_the_message(running: Running) -> None:
    running.target.answers = [OSError(22, "Invalid argument")]
    socket.send_fds(running.sender, [KICK], [0])
    running.pump.readable()
    assert running.target.sent == [(KICK, 0)]
    assert running.recorder.descriptors_lost == 1
    assert "LOST" in running.said[0]


def test_each_set_of_descriptors_is_sent_with_its_byte(running: Running) -> None:
    for part in (KICK[:5], KICK[5:12], KICK[12:]):
        socket.send_fds(running.sender, [part], [0])
        running.pump.readable()
    assert running.target.sent == [(KICK[:5], 1), (KICK[5:12], 1), (KICK[12:], 1)]


def test_with_too_many_descriptors_in_flight_the_source_is_still_read(running: Running) -> None:
    running.target.answers = [OSError(109, "Too many references: cannot splice")]
    for data in (KICK, NUM, KICK):
        socket.send_fds(running.sender, [data], [0])
        running.pump.readable()
    assert (running.target.sent, running.pump.hungry) == ([], True)
    running.pump.flush()
    assert running.target.sent == [(KICK, 1), (NUM, 1), (KICK, 1)]
    assert [record.marks for record in running.records] == [Mark(0)] * 3


def test_reading_while_the_target_is_stalled_is_bounded(running: Running) -> None:
    running.target.answers = [OSError(109, "Too many references: cannot splice")]
    socket.send_fds(running.sender, [KICK], [0])
    running.pump.readable()
    sent = 0
    while running.pump.hungry:
        sent += running.sender.send(message("SET_LOG_BASE", bytes(60000)))
        running.pump.readable()
    assert sent < 2 << 20


def test_the_queue_keeps_its_order(running: Running) -> None:
    running.target.answers = [AGAIN]
    running.sender.send(NUM)
    running.sender.send(KICK)
    running.pump.readable()
    assert running.direction.blocked
    running.pump.flush()
    assert running.target.sent == [(NUM, 0), (KICK, 0)]


def test_an_interrupted_run_continues_where_it_stopped(running: Running) -> None:
    numbered = [message("SET_VRING_NUM", number.to_bytes(8, "little")) for number in range(100)]
    running.target.answers = [None, AGAIN]
    running.sender.send(b"".join(numbered))
    running.pump.readable()
    assert running.target.sent == [(b"".join(numbered[:32]), 0)]
    assert running.direction.blocked
    running.pump.flush()
    assert b"".join(data for data, _ in running.target.sent) == b"".join(numbered)
    records = running.records
    assert [record.data for record in records] == numbered
    assert [record.sequence for record in records] == list(range(1, 101))
    assert [record.marks for record in records] == [Mark(0), *[Mark.GLUED] * 99]


def test_a_partly_accepted_message_is_finished_later(running: Running) -> None:
    running.target.answers = [None, 5, AGAIN, 7]
    running.sender.send(NUM + KICK + NUM)
    running.pump.readable()
    assert running.target.sent == [(NUM, 0), (KICK[:5], 0)]
    running.pump.flush()
    assert running.target.sent[2:] == [(KICK[5:12], 0), (KICK[12:], 0), (NUM, 0)]
    assert [record.data for record in running.records] == [NUM, KICK, NUM]


def test_descriptors_are_sent_with_the_first_part(running: Running) -> None:
    running.target.answers = [5]
    socket.send_fds(running.sender, [KICK], [0])
    running.pump.readable()
    assert running.target.sent == [(KICK[:5], 1), (KICK[5:], 0)]


def test_the_target_closes_in_the_middle_of_a_run(running: Running) -> None:
    running.target.answers = [None, BrokenPipeError(32, "Broken pipe")]
    running.sender.send(NUM + KICK + NUM)
    running.pump.readable()
    assert (running.direction.blocked, running.direction.broken) == (False, "stopped reading")
    assert [record.marks for record in running.records] == [
        Mark(0),
        Mark.GLUED | Mark.NOT_FORWARDED,
        Mark.GLUED | Mark.NOT_FORWARDED,
    ]
    assert running.direction.undelivered == len(KICK + NUM)
