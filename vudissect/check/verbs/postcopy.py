"""Memory messages of a postcopy migration, in which each side sends its addresses."""

from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.memory import region
from vudissect.check.verbs.registry import verb
from vudissect.wire.fields import Fields

_EMPTY = "header_flags=1 payload=0000000000000000"


@verb(
    r"memory for postcopy(, whose address comes back)?",
    "SET_MEM_TABLE as `memory`, which is answered, and an empty SET_MEM_TABLE; the answer must be the same table with"
    " an address of the back-end",
)
def table(room: Room, compared: str | None) -> None:
    """After POSTCOPY_LISTEN."""
    fields = _exchange(room, "F>B SET_MEM_TABLE")
    if compared:
        _compare(room, fields["regions"][0] if fields.get("regions") else {})


@verb(r"add memory for postcopy", "the same with ADD_MEM_REG; its address must come back, too")
def one_region(room: Room) -> None:
    """After POSTCOPY_LISTEN."""
    _compare(room, _exchange(room, "F>B ADD_MEM_REG"))


def _exchange(room: Room, message: str) -> Fields:
    stage = room.stage
    answered = stage.reply_to(stage.say(f"{message} {region(room)} {room.ram} header_flags=1"))
    stage.say(f"{message} {_EMPTY}")
    room.barrier()
    return answered.fields


def _compare(room: Room, got: Fields) -> None:
    """The region that came back with the one that was sent."""
    wanted = room.arena.memory.regions[0]
    if got.get("guest_addr") != wanted.guest_addr or got.get("size") != len(wanted.contents):
        raise DeviationError(Behaviour.FAILED, f"another region comes back: {dict(got)}")
    if got["user_addr"] in (0, room.arena.user_address):
        what = f"{got['user_addr']:#x} as it was sent" if got["user_addr"] else "0"
        raise DeviationError(Behaviour.FAILED, f"the answer has the user address {what}, not one of the back-end")
