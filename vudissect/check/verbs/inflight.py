"""In-flight memory, in which requests outlive the back-end."""

import mmap
import os
import time

from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.conversation.descriptors import memfd
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.rings import inflight, packed_inflight
from vudissect.rings.chain import Chain
from vudissect.rings.inflight import InflightRegion
from vudissect.rings.memory import GuestMemory
from vudissect.rings.packed import PackedDevice
from vudissect.rings.packed_inflight import Descriptor, PackedInflightRegion
from vudissect.rings.split import SplitDevice

_NAME = "inflight"
_INDEX = 0x7FFF
_LOOK_EVERY = 0.002


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
    r"the second is done, the others are in flight(, and that was not written down yet)?",
    "writes what a back-end leaves that took what is submitted, gave back the second request, and was killed; or was"
    " killed when the used request was in the ring, and still marked as in flight",
)
def mark(room: Room, early: str | None) -> None:
    """The base is where the used request is then: who only goes on from there loses a request, and repeats another."""
    region, queue = _region(room), room.queue()
    region.begin()
    device = queue.device
    taken = [_take(region, device, room.arena.memory, number) for number in range(1, len(queue.submitted) + 1)]
    chain, entry = taken[1]
    region.give_back(entry)
    device.complete(chain, 0)
    queue.was_done(chain.id, device.used_place.word if isinstance(device, PackedDevice) else device.ring.used_idx)
    if not early:
        region.commit(entry)


@verb(r"nothing is in flight(, and the place in the ring is right)?", "no request is marked; and where it is")
def nothing(room: Room, place: str | None) -> None:
    """After an answer to another question."""
    room.barrier()
    region = _region(room)
    if region.tracked:
        raise DeviationError(Behaviour.FAILED, f"{len(region.tracked)} requests are marked as in flight")
    seen = room.queue().driver.seen if place else 0
    if place and region.used != seen:
        raise DeviationError(Behaviour.FAILED, f"the place in it is {region.used:#x}, not {seen:#x}")


@verb(r"(\d+) requests are in flight", "so many are marked, now or soon")
def in_flight(room: Room, count: str) -> None:
    """So the back-end has read the kick."""
    region, deadline = _region(room), room.stage.deadline
    while len(region.tracked) != int(count):
        if time.monotonic() >= deadline:
            raise DeviationError(Behaviour.FAILED, f"{len(region.tracked)} requests are in flight, not {count}")
        room.stage.clock.sleep(_LOOK_EVERY)


def _take(
    region: InflightRegion | PackedInflightRegion, device: SplitDevice | PackedDevice, memory: GuestMemory, number: int
) -> tuple[Chain, int]:
    """Take a request as a back-end does; with its entry in the in-flight memory."""
    here = device.base & _INDEX
    chain = device.take(memory)
    assert chain is not None  # it was submitted
    if isinstance(region, InflightRegion):
        region.mark(chain.id, number)
        return chain, chain.id
    assert isinstance(device, PackedDevice)  # the region is that of a packed ring
    ring = device.ring
    places = ((here + position) % ring.size for position in range(chain.descriptors))
    return chain, region.take([Descriptor(*ring.entry(place)) for place in places], number)


def _region(room: Room) -> InflightRegion | PackedInflightRegion:
    """That of the ring for requests, which is the first one; `DeviationError` if it is too small."""
    packed = room.stage.state().features.has(VIRTIO_FEATURES.mask("RING_PACKED"))
    size = (packed_inflight if packed else inflight).region_size(room.ring_size)
    contents = memoryview(mmap.mmap(room.stage.objects.received[-1], 0))[room.inflight["mmap_offset"] :]
    if len(contents) < size:
        raise DeviationError(
            Behaviour.FAILED, f"the in-flight memory has {len(contents)} bytes, and a ring of this format needs {size}"
        )
    return (PackedInflightRegion if packed else InflightRegion)(contents, room.ring_size)
