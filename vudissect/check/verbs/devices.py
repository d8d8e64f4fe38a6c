"""Requests of one type of device, by their names in `vudissect/check/devices/`."""

from vudissect.check.devices import blk
from vudissect.check.devices.path import Request
from vudissect.check.model import Behaviour
from vudissect.check.queue import Queue
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb

_SETTLE = 0.02
_SELECTION, _SIZE_AT = 8, 2


@verb(r"request: (.+)", "this request of the device type, all the way: submit, kick, served")
def request(room: Room, name: str) -> None:
    """The answer is looked at as well."""
    _carry_out(room.queue(), _made(room, name))


@verb(r"offer: (.+)", "the same, but nobody waits for the answer: whatever comes is right")
def offer(room: Room, name: str) -> None:
    """What a back-end may also refuse by ending the session."""
    made = _made(room, name)
    queue = room.queue()
    queue.submit(made.buffers, lambda _: "")
    queue.kick()
    room.stage.clock.sleep(_SETTLE)


@verb(r"room for: (.+)", "a buffer in the ring for what comes from the device; what comes there must be this")
def room_for(room: Room, name: str) -> None:
    """Room that nobody fills is left in the ring."""
    made = _made(room, name)
    queue = _receiving(room)
    queue.submit(made.buffers, made.check)
    queue.kick()


@verb(r"something comes", "this buffer is filled and given back")
def comes(room: Room) -> None:
    """Within the usual time."""
    _receiving(room).wait(signalled=False)


@verb(r"nothing comes", "this buffer is left alone: after an answer to another question, and 20 ms")
def nothing_comes(room: Room) -> None:
    """Give the back-end the chance to do what it must not."""
    room.barrier()
    room.stage.clock.sleep(_SETTLE)
    if not _receiving(room).untouched:
        raise DeviationError(Behaviour.FAILED, "something comes, though nothing was to come")


@verb(r"there is (an|no) answer", "the configuration space of an input device has one to what was selected")
def has_answer(room: Room, word: str) -> None:
    """Its size is the third byte."""
    answered = room.stage.ask(f"F>B GET_CONFIG offset=0 size={_SELECTION}")
    contents = bytes.fromhex(answered.fields["contents"]) if answered is not None else b""
    if len(contents) != _SELECTION or bool(contents[_SIZE_AT]) != (word == "an"):
        raise DeviationError(Behaviour.FAILED, f"the configuration space begins with {contents.hex() or 'nothing'}")


@verb(r"keep the sectors", "reads the 8 sectors of a disk at which the case writes")
def keep_sectors(room: Room) -> None:
    """For `put the sectors back`."""
    made, data = blk.read(room.arena, blk.AREA, blk.AREA_BYTES)
    _carry_out(room.queue(), made)
    room.kept = room.arena.read(data)


@verb(r"put the sectors back", "writes what was read from them")
def put_back(room: Room) -> None:
    """So that the disk has what it had."""
    _carry_out(room.queue(), blk.write(room.arena, room.kept))


def _made(room: Room, name: str) -> Request:
    assert room.path is not None  # cases that move data need it
    return room.path.requests[name](room.arena)


def _carry_out(queue: Queue, made: Request) -> None:
    queue.submit(made.buffers, made.check)
    queue.kick()
    queue.wait()


def _receiving(room: Room) -> Queue:
    assert room.path is not None  # cases that move data need it
    assert room.path.receives is not None  # only devices that receive have the verbs
    return room.queue(room.path.receives)
