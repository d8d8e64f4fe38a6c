"""Rings, and the requests in them."""

from vudissect.check.model import Behaviour
from vudissect.check.queue import Queue
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.protocol.features import VIRTIO_FEATURES

_SETTLE = 0.02
_NOTHING_HAPPENS = 0.1


@verb(r"configure", "NUM, BASE and ADDR of the rings that the device needs")
def configure(room: Room) -> None:
    """All but the descriptors."""
    for queue in _queues(room):
        for line in queue.configuration():
            room.stage.ask(line)


@verb(r"give descriptors", "CALL and KICK of these rings: they are started")
def give_descriptors(room: Room) -> None:
    """The descriptors."""
    for queue in _queues(room):
        for line in queue.descriptors():
            room.stage.ask(line)


@verb(r"(enable|disable)", "ENABLE with 1 or 0 for these rings, where PROTOCOL_FEATURES is negotiated")
def enable(room: Room, word: str) -> None:
    """Enable or disable; without acknowledgements, wait until it has been read."""
    stage = room.stage
    if stage.state().features.has(VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")):
        for queue in _queues(room):
            stage.ask(f"F>B SET_VRING_ENABLE ring {queue.index} {word}")
    if not stage.state().has("REPLY_ACK"):
        stage.reply_to(stage.barrier())


@verb(r"start", "configure, give descriptors, enable")
def start(room: Room) -> None:
    """Everything that a ring needs."""
    configure(room)
    give_descriptors(room)
    enable(room, "enable")


@verb(r"start again", "starts the rings from the beginning, which are empty again")
def start_again(room: Room) -> None:
    """As a driver does after a reset."""
    for queue in _queues(room):
        queue.clear()
    start(room)


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
    for queue in _queues(room):
        flags = f"flags=LOG log={queue.log_address:#x} " if word == "on" else ""
        room.stage.ask(f"F>B SET_VRING_ADDR ring {queue.index} {flags}{queue.addresses}")


@verb(r"restart at the base", "asks for the base of the ring, and starts the ring again from it")
def restart(room: Room) -> None:
    """Go on after a stop."""
    queue = room.queue()
    answered = room.stage.ask(f"F>B GET_VRING_BASE ring {queue.index}")
    base = answered.fields["num"] if answered is not None else 0
    for line in (*queue.configuration(base), *queue.descriptors()):
        room.stage.ask(line)
    enable(room, "enable")


@verb(r"submit(?: (\d+))?", "puts a request, or several, into the ring, and does not kick")
def submit(room: Room, count: str | None) -> None:
    """Requests that the back-end is not told about yet."""
    path = room.path
    assert path is not None  # cases that move data need it
    for _ in range(int(count or 1)):
        request = path.request(room.arena)
        room.queue().submit(request.buffers, request.check)


@verb(r"kick", "writes to the kick descriptor of the ring")
def kick(room: Room) -> None:
    """Tell the back-end."""
    room.queue().kick()


@verb(r"served(, signalled or not)?", "all requests get done, with the right answers, and are signalled")
def served(room: Room, quietly: str | None) -> None:
    """Wait for it."""
    room.queue().wait(signalled=not quietly)


@verb(r"request(?: (\d+))?", "submit, kick, served")
def request(room: Room, count: str | None) -> None:
    """One request after the other, all the way."""
    for _ in range(int(count or 1)):
        submit(room, None)
        kick(room)
        served(room, None)


@verb(r"untouched", "what is in the ring is left alone: after an answer to another question, and 100 ms")
def untouched(room: Room) -> None:
    """Give the back-end the chance to do what it must not."""
    room.barrier()
    room.stage.clock.sleep(_NOTHING_HAPPENS)
    if not room.queue().untouched:
        raise DeviationError(Behaviour.FAILED, "a request was taken from the ring that must be left alone")


@verb(r"stop", "GET_VRING_BASE for all rings")
def stop(room: Room) -> None:
    """Stop the rings."""
    for queue in _queues(room):
        room.stage.ask(f"F>B GET_VRING_BASE ring {queue.index}")


@verb(r"other (kick|call) descriptor", "passes a new descriptor for the ring; the old one is kept and not used")
def other_descriptor(room: Room, which: str) -> None:
    """Replace one of the two."""
    queue = room.queue()
    queue.replace(which)
    name = queue.kick_name if which == "kick" else queue.call_name
    room.stage.ask(f"F>B SET_VRING_{which.upper()} ring {queue.index} evt#{name}")
    if not room.stage.state().has("REPLY_ACK"):
        room.barrier()


@verb(
    r"break the ring: (avail index beyond the ring|a chain without an end|a buffer outside of memory)",
    "writes what no driver may write, and kicks",
)
def break_ring(room: Room, how: str) -> None:
    """See `Queue.break_it`."""
    queue = room.queue()
    queue.break_it(how)
    queue.kick()
    room.stage.clock.sleep(_SETTLE)


def _queues(room: Room) -> list[Queue]:
    path = room.path
    return [room.queue(index) for index in (path.rings if path is not None else (0,))]
