"""What the suite makes the device do, where it can: requests are held without a time that anybody has to guess."""

from vudissect.check.directed import Directed
from vudissect.check.model import Behaviour
from vudissect.check.reference.control import GROW, HOLD, LET_GO, LET_LAST_GO
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb

_NOTHING_HAPPENS = 0.1
_CAPACITY_SIZE = 8
_WORDS = {"holds requests": HOLD, "lets them go": LET_GO, "lets the last one go": LET_LAST_GO, "grows": GROW}


@verb(
    rf"the device ({'|'.join(_WORDS)})",
    "from now on requests are taken and not done; all of them are done, or the last one; it is larger",
)
def direct(room: Room, what: str) -> None:
    """And has heard it when this is over."""
    _direct(room, _WORDS[what])
    room.barrier()


@verb(
    r"the base comes when the requests are done, and is (\d+)",
    "GET_VRING_BASE while the device holds requests: no answer comes for 100 ms, then they are let go, and when the"
    " answer comes, all of them are done",
)
def drained(room: Room, base: str) -> None:
    """Who answers early is caught in any case: a request is not done then."""
    stage, queue = room.stage, room.queue()
    sent = stage.say(f"F>B GET_VRING_BASE ring {queue.index}")
    if stage.answer(deadline=stage.soon(_NOTHING_HAPPENS)) is not None:
        raise DeviationError(Behaviour.FAILED, "the base is answered while requests are not done")
    _direct(room, LET_GO)
    answered = stage.reply_to(sent)
    if queue.collect():
        raise DeviationError(Behaviour.FAILED, "the base is answered before all requests are done")
    if answered.fields.get("num") != int(base):
        raise DeviationError(Behaviour.FAILED, f"the base is {answered.fields.get('num')}, not {base}")


@verb(r"the capacity is another one", "GET_CONFIG has another size of the disk than in the beginning")
def grown(room: Room) -> None:
    """By its first 8 bytes."""
    answered = room.stage.ask(f"F>B GET_CONFIG offset=0 size={_CAPACITY_SIZE}")
    contents = bytes.fromhex(answered.fields["contents"]) if answered is not None else b""
    if contents == room.discovered.config[:_CAPACITY_SIZE]:
        raise DeviationError(Behaviour.FAILED, "GET_CONFIG has the same capacity as before")


def _direct(room: Room, word: str) -> None:
    assert isinstance(room.backend, Directed)  # the case needs it
    room.backend.direct(word)
