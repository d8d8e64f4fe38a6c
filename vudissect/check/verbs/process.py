"""The process of the back-end: its descriptors, its processor time, its end."""

import os
import signal
import time

from vudissect.check.model import Behaviour
from vudissect.check.outcome import Life
from vudissect.check.process import at_rest, busy, descriptors_of
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb

_SETTLE = 0.02
_NOTHING_HAPPENS = 0.1
_END_WITHIN = 2.0
_BUSY = 0.8


@verb(r"settled", "the back-end answers another question or has closed the connection, and is not busy")
def settled(room: Room) -> None:
    """After something broken, everything is allowed but to hang or to spin."""
    try:
        room.barrier()
    except DeviationError as deviation:
        if deviation.behaviour is not Behaviour.CLOSED:
            raise
    idle = max(room.discovered.idle, room.discovered.idle_with_rings)
    if busy(room.backend.pid, room.stage.clock) > _BUSY > idle:
        raise DeviationError(Behaviour.SILENT, "the process spins")


@verb(r"count descriptors", "counts the descriptors that the process holds")
def count_descriptors(room: Room) -> None:
    """For `no more descriptors`."""
    room.barrier()
    room.counted = descriptors_of(room.backend.pid)


@verb(r"no more descriptors", "the process holds no more descriptors than when they were counted")
def no_more_descriptors(room: Room) -> None:
    """Descriptors are closed before the next message is answered, or soon."""
    room.barrier()
    deadline = time.monotonic() + _NOTHING_HAPPENS
    while (now := descriptors_of(room.backend.pid)) > room.counted:
        if time.monotonic() > deadline:
            raise DeviationError(
                Behaviour.FAILED, f"the process holds {now} descriptors, and held {room.counted} before"
            )
        room.stage.clock.sleep(_SETTLE / 10)


@verb(r"a descriptor came", "the last answer brought a descriptor")
def descriptor_came(room: Room) -> None:
    """Of any kind; the linter looks at what it is."""
    if not room.stage.objects.received:
        raise DeviationError(Behaviour.FAILED, "no descriptor came with the answer")


@verb(r"kill it and start it again", "the process is killed, another one is started, and the front-end connects to it")
def kill(room: Room) -> None:
    """Rings and memory stay as they are; the rings will be started from the last used request, as QEMU does."""
    os.kill(room.backend.pid, signal.SIGKILL)
    deadline = room.stage.deadline
    while room.backend.life().life is Life.ALIVE:
        if time.monotonic() > deadline:
            raise DeviationError(Behaviour.FAILED, "it is still there after SIGKILL")
        room.stage.clock.sleep(_SETTLE / 10)
    room.stage.hang_up()
    room.backend.stop()
    room.backend.start()
    room.connect()
    for queue in room.queues.values():
        queue.go_on()


@verb(r"SIGTERM ends it", "the process ends within 2 s of SIGTERM, with status 0")
def terminate(room: Room) -> None:
    """And is started again for the next case."""
    at_rest(room.backend.pid, room.stage.clock)
    os.kill(room.backend.pid, signal.SIGTERM)
    deadline = time.monotonic() + _END_WITHIN
    while (ended := room.backend.life()).life is Life.ALIVE:
        if time.monotonic() > deadline:
            raise DeviationError(Behaviour.IGNORED, f"still running {_END_WITHIN:g} s after SIGTERM")
        room.stage.clock.sleep(_SETTLE / 10)
    if ended.life is Life.KILLED and ended.number == signal.SIGTERM:
        raise DeviationError(Behaviour.FAILED, "SIGTERM is not handled: it killed the process")
    if ended != (Life.EXITED, 0):
        raise DeviationError(Behaviour.FAILED, f"ended with {ended.number} after SIGTERM, not with 0")
