"""The device IOTLB: I/O virtual addresses, and who is asked what they mean."""

from vudissect.check.memory import IOVA, SIZE
from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.protocol.payloads import IOTLB_UPDATE

_PAGE = 4096
_INVALIDATE, _READ_WRITE = 3, 3


@verb(r"translated addresses", "rings and buffers have I/O virtual addresses from now on")
def translated(room: Room) -> None:
    """ACCESS_PLATFORM is negotiated."""
    room.arena.translate()


@verb(r"map the memory", "IOTLB_MSG with an entry for all of the memory; it must be accepted")
def map_all(room: Room) -> None:
    """Nobody has to ask then."""
    _must(room, _update(room, IOVA, SIZE))


@verb(r"unmap the memory", "IOTLB_MSG that takes back all entries; it must be accepted")
def unmap_all(room: Room) -> None:
    """The front-end waits for the answer before it gives the pages to somebody else."""
    _must(room, f"F>B IOTLB_MSG iova={IOVA} size={SIZE} user_addr=0 perm=0 type={_INVALIDATE} need_reply")


@verb(r"answer misses", "from now on an address that the back-end asks for gets an entry of one page")
def answer_misses(room: Room) -> None:
    """While requests are waited for."""
    room.stage.channels.missed.clear()
    room.stage.channels.misses = 0
    room.stage.miss_answer = lambda iova: _update(room, iova // _PAGE * _PAGE, _PAGE)


@verb(r"misses came", "the back-end has asked for at least one address since misses are answered")
def misses_came(room: Room) -> None:
    """By itself it cannot know them."""
    if not room.stage.channels.misses:
        raise DeviationError(Behaviour.FAILED, "no address was asked for")


def _update(room: Room, iova: int, size: int) -> str:
    user = room.arena.user_address + iova - IOVA
    return f"F>B IOTLB_MSG iova={iova} size={size} user_addr={user} perm={_READ_WRITE} type={IOTLB_UPDATE} need_reply"


def _must(room: Room, line: str) -> None:
    answered = room.stage.ask(line)
    if answered is None or answered.fields["result"]:
        raise DeviationError(Behaviour.REFUSED, "an entry is refused")
