"""The device status, and the state of the device on its way through a pipe."""

import os
import select
import time

from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.conversation.descriptors import of_kind
from vudissect.host.descriptor import DescriptorKind

_GARBAGE = b"not a state 16 B"
_MOST = 1 << 16


@verb(r"the status is (\d+), (\d+) times", "GET_STATUS is answered with this, so often")
def status_is(room: Room, status: str, count: str) -> None:
    """Every time."""
    for number in range(1, int(count) + 1):
        answered = room.stage.ask("F>B GET_STATUS ")
        got = answered.fields["status"] if answered is not None else None
        if got != int(status):
            raise DeviationError(Behaviour.FAILED, f"the answer {number} of {count} is {got}, not {status}")


@verb(r"read the state", "reads what the back-end writes into the pipe, up to its end")
def read_state(room: Room) -> None:
    """The pipe that was passed last, or the one that came."""
    fd = room.stage.state_pipe()
    deadline = room.stage.deadline
    room.kept = b""
    while time.monotonic() < deadline and room.stage.clock.poll([fd], deadline):
        data = os.read(fd, _MOST)
        if not data:
            return
        room.kept += data
    raise DeviationError(Behaviour.SILENT, f"the pipe for the state stays open after {len(room.kept)} bytes")


@verb(r"write the state", "writes what was read into the pipe from which the back-end reads, and closes it")
def write_state(room: Room) -> None:
    """All of it."""
    _write(room, room.kept)


@verb(r"write garbage for the state", "the same with 16 bytes that are not a state")
def write_garbage(room: Room) -> None:
    """Not even the beginning of one."""
    _write(room, _GARBAGE)


@verb(r"close the pipe for the state", "the end of pipe#1 that is read here is closed before it is passed")
def close_pipe(room: Room) -> None:
    """Whoever writes into it gets SIGPIPE."""
    described = of_kind(DescriptorKind.PIPE, "1")
    room.stage.objects.give(described)
    fd = room.stage.objects.take_other_end(described)
    if fd is not None:
        os.close(fd)


def _write(room: Room, data: bytes) -> None:
    fd = room.stage.objects.end_to_write()
    if fd is None:
        raise DeviationError(Behaviour.FAILED, "there is no pipe to write to")
    os.set_blocking(fd, False)
    deadline = room.stage.deadline
    try:
        while data:
            if not room.stage.clock.poll([fd], deadline, select.POLLOUT):
                raise DeviationError(Behaviour.SILENT, f"the last {len(data)} bytes of the state are not read")
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        raise DeviationError(Behaviour.FAILED, "the back-end has closed the pipe before it was at its end") from None
    finally:
        os.close(fd)
