"""What a driver may not do: requests that are wrong, written into a ring of the session, and a kick.

Here are those of split rings.
"""

from collections.abc import Callable
from random import Random

from vudissect.fuzz.packed_mutations import packed_requests
from vudissect.fuzz.places import RingPlace, rings_after
from vudissect.fuzz.ring_requests import BUFFER, BUFFERS, Requests
from vudissect.fuzz.steps import Kick, Message, Steps, Write
from vudissect.rings.chain import SPLIT_DESCRIPTOR, DescriptorFlag
from vudissect.rings.split import SplitRing, parts

_LARGEST_RING = 1024
_MOST_REQUESTS = 3
_FLAGS = (*DescriptorFlag, 0, DescriptorFlag.NEXT | DescriptorFlag.WRITE, DescriptorFlag.INDIRECT | DescriptorFlag.NEXT)
# A ring is written in the layout that was not negotiated.
_OTHER_LAYOUT = 0.05


def use_a_ring(steps: Steps, random: Random) -> Steps:
    """A request is put into a ring after it was configured; mostly one of its values is hostile."""
    places = [at for at, step in enumerate(steps, 1) if isinstance(step, Message) and step.descriptors]
    if not places:
        return steps
    at = random.choice((len(steps), random.choice(places)))
    rings = [ring for ring in rings_after(steps[:at]) if 0 < ring.size <= _LARGEST_RING and ring.length > _room(ring)]
    if not rings:
        return steps
    ring = random.choice(rings)
    is_packed = ring.packed ^ (random.random() < _OTHER_LAYOUT)
    return steps[:at] + (packed_requests if is_packed else _split_requests)(ring, random) + steps[at:]


def _room(ring: RingPlace) -> int:
    return sum(parts(ring.size)) + BUFFER * BUFFERS


class _Driver:
    """Requests in a copy of a ring that is empty so far; `base` is where the next one goes."""

    def __init__(self, place: RingPlace, random: Random) -> None:
        self.requests = Requests(place, random)
        self.place = place
        self.random = random
        self.views = tuple(bytearray(size) for size in parts(place.size))
        self.ring = SplitRing(place.size, *(memoryview(view) for view in self.views))
        self.ring.avail_idx = place.base
        self.next = 0

    def chain(self) -> int:
        """A request; the head of its chain."""
        head, buffers = self.next, self.requests.request()
        for number, each in enumerate(buffers):
            flags = DescriptorFlag.WRITE if each.writable else 0
            flags |= DescriptorFlag.NEXT if number + 1 < len(buffers) else 0
            self._put(self.next, each.address, each.length, flags, (self.next + 1) % self.place.size)
            self.next = (self.next + 1) % self.place.size
        return head

    def _put(self, index: int, address: int, length: int, flags: int, following: int) -> None:
        SPLIT_DESCRIPTOR.pack_into(self.views[0], index * SPLIT_DESCRIPTOR.size, address, length, flags, following)

    def spoil(self) -> None:
        """Change a value of a descriptor that is in use."""
        random = self.random
        index = random.randrange(max(1, self.next))
        values = list(SPLIT_DESCRIPTOR.unpack_from(self.views[0], index * SPLIT_DESCRIPTOR.size))
        match random.randrange(len(values)):
            case 0:
                values[0] = self.requests.bad_address(values[0])
            case 1:
                values[1] = self.requests.bad_length()
            case 2:
                values[2] = random.choice(_FLAGS)
            case _:
                values[2] |= DescriptorFlag.NEXT
                values[3] = random.choice((index, 0, self.place.size - 1, self.place.size, 0xFFFF))
        self._put(index, *values)

    def offer(self, head: int) -> None:
        """Make a chain available."""
        self.ring.set_available(self.ring.avail_idx, head)
        self.ring.avail_idx += 1

    def steps(self) -> Steps:
        """All of it, and a kick."""
        place = self.place
        desc = bytes(self.views[0][: SPLIT_DESCRIPTOR.size * max(1, self.next)])
        avail = bytes(self.views[1])
        return (
            *self.requests.written,
            Write(place.memory, place.desc, desc),
            Write(place.memory, place.avail, avail),
            Kick(place.kick),
        )


def _indirect(driver: _Driver) -> None:
    """The chain so far as a table of its own, or a table that is not one."""
    random, size = driver.random, SPLIT_DESCRIPTOR.size
    table = bytes(driver.views[0][: size * max(1, driver.next)])
    length = random.choice((len(table), len(table) - 1, 0, size, 0xFFFF_FFF0, len(table) * 64))
    flags = DescriptorFlag.INDIRECT | random.choice((0, DescriptorFlag.NEXT, DescriptorFlag.WRITE))
    driver._put(0, driver.requests.buffer(table), length & 0xFFFF_FFFF, flags, 1)


def _far_ahead(driver: _Driver) -> None:
    """More is available than the ring can have."""
    size = driver.place.size
    driver.ring.avail_idx += driver.random.choice((1, size, size + 1, 0x7FFF, 0x8000, 0xFFFF))


def _beyond(driver: _Driver) -> None:
    """A head that is not in the table."""
    driver.offer(driver.random.choice((driver.place.size, driver.place.size + 5, 0xFFFF)))


_SPOILS: tuple[Callable[[_Driver], None], ...] = (_Driver.spoil, _Driver.spoil, _indirect, _far_ahead, _beyond)


def _split_requests(place: RingPlace, random: Random) -> Steps:
    driver = _Driver(place, random)
    for _ in range(random.randint(1, _MOST_REQUESTS)):
        driver.offer(driver.chain())
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        random.choice(_SPOILS)(driver)
    return driver.steps()
