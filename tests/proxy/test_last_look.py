"""Before a connection is recorded as closed, its rings are looked into once more; this never takes long."""

import mmap
import os
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.proxy.harness import Peer, eventually
from tests.proxy.test_hostile_rings import SIZE, FrontEnd, memfd
from tests.proxy.test_observer import PREAMBLE, gap
from tests.proxy.test_program import quiet
from tests.proxy.test_rings import AVAIL
from vudissect.capture.observation import observation_of
from vudissect.capture.record import RecordKind
from vudissect.proxy.companion import Feed
from vudissect.proxy.ring_observer import RingObserver, RingOptions

HOUR = 3600.0


def test_what_was_pending_is_recorded_before_the_end(tmp_path: Path) -> None:
    # Nobody looks between the start of the ring and the end.
    with quiet(tmp_path, "--rings", f"--rings-interval={HOUR}") as program:
        front_end = FrontEnd(program, 1)
        guest = memfd()
        memory = mmap.mmap(guest, SIZE)
        front_end.set_up(guest)
        front_end.observed()
        memory[AVAIL + 2 : AVAIL + 4] = struct.pack("<H", 3)
        front_end.back.close()
        assert front_end.front.at_end()
        front_end.front.close()
        eventually(lambda: program.records()[-1].kind is RecordKind.CONNECTION_CLOSED)
        status, *_ = program.end()

    *_, last_look, closed = program.records()
    seen = observation_of(last_look.details)
    assert seen is not None
    assert (seen.avail, seen.used, seen.pending) == (3, 0, 3)
    assert closed.details["by"] == "back-end"
    assert status == 0


def test_every_connection_ends_while_many_are_open(tmp_path: Path) -> None:
    with quiet(tmp_path, "--rings", f"--rings-interval={HOUR}") as program:
        front_ends = [FrontEnd(program, number) for number in range(1, 6)]
        for front_end in front_ends:
            front_end.set_up(memfd())
        peers: list[Peer] = [peer for front_end in front_ends for peer in (front_end.back, front_end.front)]
        for peer in peers:
            peer.close()
        status, *_ = program.end()

    closed = [record.connection for record in program.records() if record.kind is RecordKind.CONNECTION_CLOSED]
    assert sorted(closed) == [1, 2, 3, 4, 5]
    assert status == 0


class Watching:
    """A running observer, and the callbacks that it asked to be called later."""

    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []
        self.closed: list[int] = []
        self.observer = RingObserver(
            RingOptions(interval=HOUR),
            Feed(PREAMBLE, gap, lambda _: None),
            lambda *_: None,
            lambda _, action: self.later.append(action),
        )

    def close(self, connection: int) -> None:
        self.observer.last_look(connection, lambda: self.closed.append(connection))

    def answer(self) -> None:
        self.observer.read()


@pytest.fixture
def watching() -> Iterator[Watching]:
    watching = Watching()
    yield watching
    watching.observer.sink.close()
    watching.observer.finish()


def test_an_observer_that_answers(watching: Watching) -> None:
    watching.close(7)
    assert watching.closed == []
    watching.answer()

    assert watching.closed == [7]


def test_an_observer_that_does_not_answer_is_not_waited_for(watching: Watching) -> None:
    os.kill(watching.observer.pid, signal.SIGSTOP)
    watching.close(7)
    (time_is_up,) = watching.later
    time_is_up()
    os.kill(watching.observer.pid, signal.SIGCONT)
    assert watching.closed == [7]
    # Its answer comes too late.
    watching.answer()

    assert watching.closed == [7]


def test_an_observer_that_has_ended_is_not_asked(watching: Watching) -> None:
    os.kill(watching.observer.pid, signal.SIGKILL)
    os.waitid(os.P_PID, watching.observer.pid, os.WEXITED | os.WNOWAIT)
    watching.close(7)

    assert (watching.closed, watching.later) == ([7], [])
