"""In-flight memory, in which requests outlive the back-end."""

import mmap
import os

from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.conversation.descriptors import memfd
from vudissect.rings.inflight import InflightRegion

_NAME = "inflight"
_DONE = 2


@verb(r"ask for in-flight memory", "GET_INFLIGHT_FD for as many rings as are used; it must bring memory")
def ask(room: Room) -> None:
    """And look into it."""
    size = room.ring_size
    answered = room.stage.ask(f"F>B GET_INFLIGHT_FD num_queues={max(room.rings) + 1} queue_size={size}")
    received = room.stage.objects.received
    if answered is None or not received or not answered.fields.get("mmap_size"):
        raise DeviationError(Behaviour.FAILED, "no in-flight memory comes")
    room.inflight = {name: answered.fields[name] for name in ("mmap_size", "mmap_offset", "num_queues", "queue_size")}
    whole = os.fstat(received[-1]).st_size
    if whole < room.inflight["mmap_size"] + room.inflight["mmap_offset"]:
        raise DeviationError(Behaviour.FAILED, f"the in-flight memory has {whole} bytes, fewer than its answer says")


@verb(r"pass the in-flight memory", "SET_INFLIGHT_FD with the memory and the values that came")
def give(room: Room) -> None:
    """As they are."""
    described = memfd(_NAME, room.inflight["mmap_size"])._replace(identity=f"memfd:{_NAME}")
    room.stage.objects.adopt(described, room.stage.objects.received[-1])
    values = " ".join(f"{name}={value}" for name, value in room.inflight.items())
    room.stage.ask(f"F>B SET_INFLIGHT_FD {values} mem#{_NAME} (memfd {_NAME} {room.inflight['mmap_size']})")


@verb(
    r"the second is done, the others are in flight",
    "writes what a back-end leaves that took what is submitted, gave back the second request, and was killed",
)
def mark(room: Room) -> None:
    """The base is the used index then: who only goes on from there loses a request, and does another twice."""
    region, queue = _region(room), room.queue()
    region.begin()
    for counter, head in enumerate(queue.submitted, 1):
        if counter == _DONE:
            queue.use_here(head)
            region.used_idx = 1
        else:
            region.mark(head, counter)


@verb(r"nothing is in flight(?:, and (\d+) were used)?", "no request is marked; and the index of the used ring")
def nothing(room: Room, used: str | None) -> None:
    """After an answer to another question."""
    room.barrier()
    region = _region(room)
    if region.tracked:
        raise DeviationError(Behaviour.FAILED, f"{len(region.tracked)} requests are marked as in flight")
    if used and region.used_idx != int(used):
        raise DeviationError(Behaviour.FAILED, f"the used index in it is {region.used_idx}, not {used}")


def _region(room: Room) -> InflightRegion:
    """That of the ring for requests, which is the first one."""
    contents = memoryview(mmap.mmap(room.stage.objects.received[-1], 0))
    return InflightRegion(contents[room.inflight["mmap_offset"] :], room.ring_size)
