"""Rings, and the requests in them."""

from contextlib import nullcontext

from vudissect.check.breakages import BREAKAGES, PACKED_BREAKAGES
from vudissect.check.model import Behaviour
from vudissect.check.process import reader_of, yielding
from vudissect.check.queue import Queue
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.conversation.descriptors import eventfd
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.rings.packed import PackedDriver

_SETTLE = 0.02
_NOTHING_HAPPENS = 0.1
_ERROR_WITHIN = 0.3


@verb(r"configure", "NUM, BASE and ADDR of the rings that the device needs")
def configure(room: Room) -> None:
    """All but the descriptors."""
    for queue in queues(room):
        for line in queue.configuration():
            room.stage.ask(line)


@verb(
    r"give descriptors(, but not to the ring)?",
    "CALL and KICK of these rings: they are started; or of all but the ring for requests",
)
def give_descriptors(room: Room, others: str | None = None) -> None:
    """The descriptors."""
    for queue in queues(room):
        if others and queue.index == room.ring:
            continue
        for line in queue.descriptors():
            room.stage.ask(line)


@verb(
    r"give descriptors to a slow reader",
    "the same, while the thread that reads messages yields to those that look into rings, for 20 ms each",
)
def give_slowly(room: Room) -> None:
    """Whoever begins to look before everything is written down misses something then."""
    stage, pid = room.stage, room.backend.pid
    reader = reader_of(pid, room.barrier)
    for queue in queues(room):
        for line in queue.descriptors():
            with yielding(pid, reader) if reader else nullcontext():
                sent = stage.say(line)
                stage.clock.sleep(_SETTLE)
            if sent.owed:
                stage.reply_to(sent)


@verb(r"(enable|disable)", "ENABLE with 1 or 0 for these rings, where PROTOCOL_FEATURES is negotiated")
def enable(room: Room, word: str) -> None:
    """Enable or disable; without acknowledgements, wait until it has been read."""
    stage = room.stage
    if stage.state().features.has(VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")):
        for queue in queues(room):
            stage.ask(f"F>B SET_VRING_ENABLE ring {queue.index} {word}")
    if not stage.state().has("REPLY_ACK"):
        stage.reply_to(stage.barrier())


@verb(r"start", "configure, give descriptors, enable")
def start(room: Room) -> None:
    """Everything that a ring needs."""
    configure(room)
    give_descriptors(room)
    enable(room, "enable")


@verb(r"use( only)? the other ring", "from now on another ring for requests is started, too, or in place of the first")
def use_other(room: Room, only: str | None) -> None:
    """For devices with more than one."""
    room.used = room.rings[:-1] if only else room.rings
    room.used += (room.other,)


@verb(r"use (\d+) queue pairs", "from now on the rings of so many queue pairs of a network device are started")
def use_pairs(room: Room, count: str) -> None:
    """All of them alike."""
    room.used = tuple(range(2 * int(count)))


@verb(r"start one ring after the other", "start, ring by ring")
def start_one_by_one(room: Room) -> None:
    """As some drivers do it."""
    for queue in queues(room):
        for line in (*queue.configuration(), *queue.descriptors()):
            room.stage.ask(line)
        if room.stage.state().features.has(VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")):
            room.stage.ask(f"F>B SET_VRING_ENABLE ring {queue.index} enable")


@verb(r"begin at (\d+)", "the rings are empty, and begin at this place of the available ring")
def begin_at(room: Room, base: str) -> None:
    """Where a driver that was migrated goes on."""
    for queue in queues(room):
        queue.clear(int(base))


@verb(r"start again", "starts the rings from the beginning, which are empty again")
def start_again(room: Room) -> None:
    """As a driver does after a reset."""
    for queue in queues(room):
        queue.clear()
    start(room)


@verb(r"restart( the other ring)? at the base", "asks for the base of the ring, and starts the ring again from it")
def restart(room: Room, other: str | None) -> None:
    """Go on after a stop."""
    queue = _ring(room, other)
    answered = room.stage.ask(f"F>B GET_VRING_BASE ring {queue.index}")
    base = answered.fields["num"] if answered is not None else 0
    for line in (*queue.configuration(base), *queue.descriptors()):
        room.stage.ask(line)
    enable(room, "enable")


_OTHER = "( on the other ring)?"


@verb(rf"submit(?: (\d+))?{_OTHER}", "puts a request, or several, into the ring, and does not kick")
def submit(room: Room, count: str | None = None, other: str | None = None) -> None:
    """Requests that the back-end does not know of yet."""
    path = room.path
    assert path is not None  # cases that move data need it
    for _ in range(int(count or 1)):
        request = path.request(room.arena)
        _ring(room, other).submit(request.buffers, request.check)


@verb(rf"kick{_OTHER}", "writes to the kick descriptor of the ring")
def kick(room: Room, other: str | None = None) -> None:
    """Notify the back-end."""
    _ring(room, other).kick()


@verb(rf"served(, signalled or not)?{_OTHER}", "all requests get done, with the right answers, and are signalled")
def served(room: Room, quietly: str | None = None, other: str | None = None) -> None:
    """Wait for it."""
    _ring(room, other).wait(signalled=not quietly)


@verb(r"begun", "one of the requests is done, so the back-end has read the kick")
def begun(room: Room) -> None:
    """Else what comes next would race with the kick."""
    room.queue().wait_for_one()


@verb(rf"request(?: (\d+))?{_OTHER}", "submit, kick, served")
def request(room: Room, count: str | None = None, other: str | None = None) -> None:
    """One request after the other, all the way."""
    for _ in range(int(count or 1)):
        submit(room, None, other)
        kick(room, other)
        served(room, None, other)


@verb(r"indirect request", "a request whose buffers are in an indirect table, all the way")
def indirect_request(room: Room) -> None:
    """One descriptor of the ring, whatever the request needs."""
    assert room.path is not None
    wanted = room.path.request(room.arena)
    room.queue().submit_indirect(wanted.buffers, wanted.check)
    kick(room)
    served(room)


@verb(r"fill the ring", "as many requests as it has room for")
def fill_ring(room: Room) -> None:
    """Up to the last descriptor, or nearly."""
    assert room.path is not None
    while room.queue().room >= len((wanted := room.path.request(room.arena)).buffers):
        room.queue().submit(wanted.buffers, wanted.check)


@verb(r"not signalled", "the call descriptor of the ring is not written to: after an answer, and 20 ms")
def not_signalled(room: Room) -> None:
    """Nobody wants to know."""
    room.barrier()
    room.stage.clock.sleep(_SETTLE)
    if room.queue().signalled:
        raise DeviationError(Behaviour.FAILED, "the call descriptor is signalled, though it must not be")


@verb(r"no calls", "the driver writes into the ring that it wants no calls")
def no_calls(room: Room) -> None:
    """Without EVENT_IDX."""
    room.queue().driver.want_no_calls()


@verb(r"request (\d+), with a call wanted for each", "the same in a packed ring; the driver asks for each call")
def request_with_event(room: Room, count: str) -> None:
    """By the place of the next used descriptor."""
    driver = room.queue().driver
    assert isinstance(driver, PackedDriver)  # negotiated with RING_PACKED
    for _ in range(int(count)):
        driver.want_call_for_next()
        request(room)


@verb(r"rings of (\d+) entries", "the rings have this size, not 128")
def ring_size(room: Room, size: str) -> None:
    """Those that are used from now on."""
    room.ring_size = int(size)


@verb(r"the base is where the driver is", "GET_VRING_BASE is answered with the place of the driver, who has seen all")
def base_is_right(room: Room) -> None:
    """For a packed ring, both halves of it."""
    answered = room.stage.ask(f"F>B GET_VRING_BASE ring {room.ring}")
    base, wanted = answered.fields["num"] if answered is not None else 0, room.queue().driver.base
    if base != wanted:
        raise DeviationError(Behaviour.FAILED, f"the base is {base:#x}, not {wanted:#x}")


@verb(r"fill the call descriptor", "its counter gets the largest value, so that the next to write to it has to wait")
def fill_call(room: Room) -> None:
    """A front-end that never reads it."""
    room.queue().fill_call()


@verb(r"share the kick descriptor", "the other ring uses the kick descriptor of the ring")
def share_kick(room: Room) -> None:
    """It has yet to be passed."""
    room.queue(room.other).share_kick(room.queue())


@verb(r"give err descriptor", "passes the err descriptor of the ring")
def give_err(room: Room) -> None:
    """For what cannot be signalled otherwise."""
    queue = room.queue()
    room.stage.ask(f"F>B SET_VRING_ERR ring {queue.index} evt#{queue.err_name}")


@verb(r"an error is signalled", "the err descriptor of the ring is written to")
def error_signalled(room: Room) -> None:
    """Within the usual time."""
    fd = room.stage.objects.give(eventfd(room.queue().err_name))
    if not room.stage.clock.poll([fd], room.stage.soon(_ERROR_WITHIN)):
        raise DeviationError(Behaviour.FAILED, "the err descriptor is not signalled")


@verb(r"stop and go (\d+) times", "so often: a request, the base is asked for and is right, the ring starts at it")
def stop_and_go(room: Room, count: str) -> None:
    """A base that is wrong by one adds up."""
    for number in range(1, int(count) + 1):
        request(room)
        answered = room.stage.ask(f"F>B GET_VRING_BASE ring {room.ring}")
        base = answered.fields["num"] if answered is not None else 0
        if base != number:
            raise DeviationError(Behaviour.FAILED, f"the base after {number} requests is {base}")
        restart(room, None)


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
    for queue in queues(room):
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
    f"break the ring: ({'|'.join(BREAKAGES | PACKED_BREAKAGES)})",
    "writes what no driver may write, and kicks",
)
def break_ring(room: Room, how: str) -> None:
    """See `breakages`."""
    queue = room.queue()
    queue.break_it(how)
    queue.kick()
    room.stage.clock.sleep(_SETTLE)


def _ring(room: Room, other: str | None) -> Queue:
    return room.queue(room.other if other else None)


def queues(room: Room) -> list[Queue]:
    """The rings that are started."""
    return [room.queue(index) for index in room.rings]
