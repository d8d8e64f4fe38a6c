"""Connections and what is agreed on them: negotiation, memory, how messages are sent."""

import socket

from vudissect.check.model import Behaviour
from vudissect.check.process import descriptors_of, settled_descriptors
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs import rings
from vudissect.check.verbs.memory import memory
from vudissect.check.verbs.registry import verb
from vudissect.protocol.devices import feature_names
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.header import HEADER_SIZE

_ACKNOWLEDGED = ("MQ", "LOG_SHMFD", "REPLY_ACK", "CONFIG", "CONFIGURE_MEM_SLOTS")
_CALL_SIZE = 8


@verb(
    r"negotiate(?: with ([A-Z0-9_ ]+?))?(?: without ([A-Z0-9_ ]+))?",
    "negotiates VERSION_1 and PROTOCOL_FEATURES, and of the protocol features MQ, LOG_SHMFD, REPLY_ACK, CONFIG and"
    " CONFIGURE_MEM_SLOTS, as far as they are offered; with others, or without some",
)
def negotiate(room: Room, with_: str | None, without: str | None) -> None:
    """The messages up to SET_FEATURES; `without PROTOCOL_FEATURES` leaves out all that needs them."""
    more, less = set((with_ or "").split()), set((without or "").split())
    stage = room.stage
    stage.ask("F>B GET_FEATURES ")
    state = stage.state()
    offered = state.features.offered or 0
    wanted = ({"VERSION_1", "PROTOCOL_FEATURES"} | more) - less
    virtio = _word(wanted, room) & offered
    if virtio & VIRTIO_FEATURES.mask("PROTOCOL_FEATURES"):
        stage.ask("F>B GET_PROTOCOL_FEATURES ")
        names = (set(_ACKNOWLEDGED) | more) - less
        word = PROTOCOL_FEATURES.known(*names) & (stage.state().protocol_features.offered or 0)
        stage.ask(f"F>B SET_PROTOCOL_FEATURES features={word:#x}")
        if stage.state().has("MQ"):
            stage.ask("F>B GET_QUEUE_NUM ")
        if stage.state().has("CONFIGURE_MEM_SLOTS"):
            stage.ask("F>B GET_MAX_MEM_SLOTS ")
    stage.ask("F>B SET_OWNER ")
    stage.ask(f"F>B SET_FEATURES features={virtio:#x}")
    room.features = virtio


def _word(names: set[str], room: Room) -> int:
    """A virtio feature word; the names of protocol features among them are left out."""
    offered = room.discovered.features
    own = {name: number for number in range(64) for name in feature_names(room.discovered.device, 1 << number)}
    return sum(1 << own[name] for name in names if name in own) & (offered | VIRTIO_FEATURES.mask("VERSION_1"))


@verb(r"ready", "negotiate, memory, start")
def ready(room: Room) -> None:
    """All of it."""
    negotiate(room, None, None)
    memory(room)
    rings.start(room)


@verb(r"hold", "keeps the messages that follow, until they are released")
def hold(room: Room) -> None:
    """Collect."""
    room.stage.held = []


@verb(r"release", "sends what was held, in one write")
def release(room: Room) -> None:
    """Send."""
    room.stage.release()


@verb(r"bytewise", "sends the next message one byte a write")
def bytewise(room: Room) -> None:
    """Cut into bytes."""
    room.stage.cuts = tuple(range(1, HEADER_SIZE))


@verb(
    r"a message in two pieces, cut after each byte",
    "SET_VRING_CALL with a descriptor in two writes, once for each place where it can be cut",
)
def cut_everywhere(room: Room) -> None:
    """The descriptor is with the first byte."""
    for cut in range(1, HEADER_SIZE + _CALL_SIZE):
        room.stage.cuts = (cut,)
        room.stage.ask("F>B SET_VRING_CALL ring 0 evt#cut")
    room.barrier()


@verb(r"ask (\d+) times?", "GET_FEATURES, so often; nobody reads the answers")
def ask_times(room: Room, count: str) -> None:
    """As whoever is about to end."""
    for _ in range(int(count)):
        room.stage.say("F>B GET_FEATURES ")


@verb(r"read (\d+) answers", "so many answers come, each to GET_FEATURES, and nothing after them")
def read_answers(room: Room, count: str) -> None:
    """In order, none twice."""
    for number in range(int(count)):
        answered = room.stage.answer()
        row = UPSTREAM.request(Channel.MAIN, answered.message.id) if answered is not None else None
        if row is None or row.purpose is not Purpose.OFFER_FEATURES:
            raise DeviationError(Behaviour.SILENT, f"{number} of {count} answers came")
    room.barrier()


@verb(r"close one half", "the front-end's half of the connection is closed: it sends no more, and still reads")
def close_half(room: Room) -> None:
    """By `shutdown`."""
    room.stage.links[1].socket.shutdown(socket.SHUT_WR)


@verb(r"nothing more", "the next thing that comes is the answer to another question")
def nothing_more(room: Room) -> None:
    """No answer was given twice, and none that is not due."""
    room.barrier()


@verb(r"close", "closes the connection")
def close(room: Room) -> None:
    """Hang up, and let the back-end notice it."""
    held = descriptors_of(room.backend.pid)
    room.stage.hang_up()
    settled_descriptors(room.backend.pid, held - 1, room.backend.clock)


@verb(r"connect", "connects again")
def connect(room: Room) -> None:
    """Another connection in the place of the first."""
    room.forget_rings()
    room.connect()


@verb(r"connect a second time", "opens connection 2 beside the first (c2 F>B ...)")
def connect_second(room: Room) -> None:
    """Two at a time."""
    room.connect(2)


@verb(r"(\d+) sessions", "so many whole sessions, one after the other, each with a request")
def sessions(room: Room, count: str) -> None:
    """The current connection is the first of them."""
    for number in range(int(count)):
        if number:
            connect(room)
        try:
            ready(room)
            rings.request(room)
            rings.stop(room)
        except DeviationError as deviation:
            raise DeviationError(deviation.behaviour, f"session {number + 1} of {count}: {deviation}") from None
        close(room)
    connect(room)
    room.barrier()
