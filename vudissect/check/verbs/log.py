"""The dirty log: what the back-end has marked in it."""

from vudissect.check.memory import LOG
from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.check.verbs.rings import queues
from vudissect.protocol.features import VIRTIO_FEATURES

_PAGE = 4096


@verb(
    r"log (on|off)",
    "LOG_ALL is acknowledged or not any more, and all rings get their addresses again, with the LOG flag",
)
def log(room: Room, word: str) -> None:
    """The log itself must be there by then."""
    features = room.stage.state().features.acked or 0
    bit = VIRTIO_FEATURES.mask("LOG_ALL")
    features = features | bit if word == "on" else features & ~bit
    room.stage.ask(f"F>B SET_FEATURES features={features:#x}")
    for queue in queues(room):
        flags = f"flags=LOG log={queue.log_address:#x} " if word == "on" else ""
        room.stage.ask(f"F>B SET_VRING_ADDR ring {queue.index} {flags}{queue.addresses}")


@verb(r"the log has what was written", "the pages that the last request had for answers are marked in {log}")
def has_written(room: Room) -> None:
    """All of them: what is not marked is not copied."""
    _must_have(room, [buffer.address for buffer in room.queue().answers], "a page with an answer")


@verb(r"the log has the used ring", "the page of the used ring is marked in {log}")
def has_used_ring(room: Room) -> None:
    """By the address that was given for that."""
    _must_have(room, [room.queue().log_address], "the page of the used ring")


@verb(r"clear the log", "takes all marks out of {log}")
def clear(room: Room) -> None:
    """As a front-end does after it has copied the pages."""
    contents = room.stage.objects.map(LOG)
    contents[:] = bytes(len(contents))


@verb(r"the log is empty", "nothing is marked in {log}")
def is_empty(room: Room) -> None:
    """Since it was cleared."""
    if any(room.stage.objects.map(LOG)):
        raise DeviationError(Behaviour.FAILED, "there are marks in the log, though LOG_ALL is not acknowledged")


def _must_have(room: Room, addresses: list[int], what: str) -> None:
    contents = room.stage.objects.map(LOG)
    for address in addresses:
        byte, bit = divmod(address // _PAGE, 8)
        if not contents[byte] >> bit & 1:
            raise DeviationError(Behaviour.FAILED, f"{what}, {address:#x}, is not marked in the log")
