"""The channel on which the back-end asks."""

from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb

_NOTHING_HAPPENS = 0.1
_NONSENSE = b"\xa5" * 64


@verb(r"the first channel is closed", "the back-end has closed the socket of the channel that was replaced")
def first_channel_closed(room: Room) -> None:
    """It has nobody to talk to on it."""
    room.barrier()
    earlier = room.stage.earlier_channel
    if earlier is None:
        raise DeviationError(Behaviour.FAILED, "there was no first channel")
    deadline = room.stage.soon(_NOTHING_HAPPENS)
    ready = room.stage.clock.poll([earlier.socket.fileno()], deadline)
    if not ready or earlier.socket.recv(1):
        raise DeviationError(Behaviour.FAILED, "the socket of the first channel is still open")


@verb(r"close the channel", "our end of the channel is closed")
def close_channel(room: Room) -> None:
    """As a front-end that has no use for it."""
    room.stage.close_channel()


@verb(r"write nonsense to the channel", "64 bytes that are not a message are written to our end of the channel")
def nonsense(room: Room) -> None:
    """Nothing was asked."""
    for channel in room.stage.channels.values():
        channel.send(_NONSENSE, (), room.stage.deadline)
