"""Where the rings of a session are in the memory that it passes."""

from collections.abc import Iterable
from typing import NamedTuple

from vudissect.fuzz.steps import HangUp, Message, Step
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.features import F_RING_PACKED
from vudissect.session.event import MessageEvent
from vudissect.session.memory import Place
from vudissect.session.rings import Ring
from vudissect.session.session import Session
from vudissect.session.state import State

_MEMORY = (DescriptorKind.MEMFD, DescriptorKind.FILE)


class RingPlace(NamedTuple):
    """A ring that is configured: offsets of its parts in their files, and the guest memory around it."""

    number: int
    size: int
    base: int
    memory: Descriptor
    desc: int
    avail: int
    used: int
    guest: int
    """The guest address of the region that it is in, which is `length` bytes long and at `start` in the file."""
    length: int
    start: int
    kick: Descriptor
    packed: bool


def rings_after(steps: Iterable[Step]) -> list[RingPlace]:
    """The rings that are configured after these steps, in memory that can be written to."""
    state, known = _played(steps)
    if state is None:
        return []
    return [place for ring in state.rings.values() if (place := _place(ring, state, known)) is not None]


def state_after(steps: Iterable[Step]) -> State | None:
    """What is known of the connection after these steps; None if there is none."""
    return _played(steps)[0]


def _played(steps: Iterable[Step]) -> tuple[State | None, dict[str, Descriptor]]:
    session = Session()
    known: dict[str, Descriptor] = {}
    state: State | None = None
    for step in steps:
        if isinstance(step, HangUp):
            state = None
        elif isinstance(step, Message) and step.data:
            event = session.feed(step.record)
            if isinstance(event, MessageEvent):
                known |= {each.name: each.descriptor for each in event.descriptors}
            state = event.after
    return state, known


def _place(ring: Ring, state: State, known: dict[str, Descriptor]) -> RingPlace | None:
    if ring.addresses is None:
        return None
    parts = [state.place(address) for address in (ring.addresses.desc, ring.addresses.avail, ring.addresses.used)]
    kick = known.get(ring.kick)
    places = [part for part in parts if part is not None]
    if len(places) < len(parts) or kick is None or kick.kind is not DescriptorKind.EVENTFD:
        return None
    region = places[0].region
    memory = known.get(region.descriptor)
    if memory is None or memory.kind not in _MEMORY or any(part.region != region for part in places):
        return None
    desc, avail, used = map(_in_file, places)
    base = (ring.base or 0) & 0xFFFF
    return RingPlace(
        ring.index,
        ring.size or 0,
        base,
        memory,
        desc,
        avail,
        used,
        region.guest_addr,
        region.size,
        region.mmap_offset,
        kick,
        state.features.has(F_RING_PACKED),
    )


def _in_file(place: Place) -> int:
    return place.region.mmap_offset + place.offset
