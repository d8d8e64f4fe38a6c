"""What a driver may not do: requests that are wrong, written into a ring of the session, and a kick."""

from collections.abc import Callable
from random import Random

from vudissect.fuzz.places import RingPlace, rings_after
from vudissect.fuzz.steps import Kick, Message, Step, Steps, Write
from vudissect.rings.chain import SPLIT_DESCRIPTOR, DescriptorFlag
from vudissect.rings.split import SplitRing, parts

_LARGEST_RING = 1024
_BUFFER = 0x1000
_BUFFERS = 16
_MOST_REQUESTS = 3
_LENGTHS = (0, 1, 8, 15, 16, 17, 512, 513, 4096, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_FLAGS = (*DescriptorFlag, 0, DescriptorFlag.NEXT | DescriptorFlag.WRITE, DescriptorFlag.INDIRECT | DescriptorFlag.NEXT)
_HEADER_WORDS = (0, 1, 2, 4, 8, 11, 13, 14, 0x7777, 0xFFFF_FFFF)
_STATUS = 1


def use_a_ring(steps: Steps, random: Random) -> Steps:
    """A request is put into a ring after it was configured; mostly one of its values is hostile."""
    places = [at for at, step in enumerate(steps, 1) if isinstance(step, Message) and step.descriptors]
    if not places:
        return steps
    at = random.choice((len(steps), random.choice(places)))
    rings = [ring for ring in rings_after(steps[:at]) if 0 < ring.size <= _LARGEST_RING and ring.length > _room(ring)]
    if not rings:
        return steps
    return steps[:at] + _requests(random.choice(rings), random) + steps[at:]


def _room(ring: RingPlace) -> int:
    return sum(parts(ring.size)) + _BUFFER * _BUFFERS


class _Driver:
    """Requests in a copy of a ring that is empty so far; `base` is where the next one goes."""

    def __init__(self, place: RingPlace, random: Random) -> None:
        self.place = place
        self.random = random
        self.views = tuple(bytearray(size) for size in parts(place.size))
        self.ring = SplitRing(place.size, *(memoryview(view) for view in self.views))
        self.ring.avail_idx = place.base
        self.buffers: list[Step] = []
        self.next = 0

    def buffer(self, contents: bytes) -> int:
        """The guest address of a buffer with these contents, in the second half of the region."""
        place = self.place
        offset = place.length // 2 + _BUFFER * (len(self.buffers) % _BUFFERS)
        self.buffers.append(Write(place.memory, place.start + offset, contents))
        return place.guest + offset

    def chain(self) -> int:
        """A request as a disk knows it: a header, data, a byte of status; the head of its chain."""
        random, head = self.random, self.next
        kind, sector = random.choice(_HEADER_WORDS), random.choice((0, 1, 1 << 54, (1 << 64) - 1))
        header = kind.to_bytes(4, "little") + bytes(4) + sector.to_bytes(8, "little")
        lengths = [(header, False)] + [(bytes(random.choice((512, 4096))), kind != 1)] * random.choice((0, 1, 1, 2))
        lengths.append((bytes(_STATUS), True))
        for number, (contents, writable) in enumerate(lengths):
            flags = (DescriptorFlag.WRITE if writable else 0) | (
                DescriptorFlag.NEXT if number + 1 < len(lengths) else 0
            )
            self._put(self.next, self.buffer(contents), len(contents), flags, (self.next + 1) % self.place.size)
            self.next = (self.next + 1) % self.place.size
        return head

    def _put(self, index: int, address: int, length: int, flags: int, following: int) -> None:
        SPLIT_DESCRIPTOR.pack_into(self.views[0], index * SPLIT_DESCRIPTOR.size, address, length, flags, following)

    def spoil(self) -> None:
        """Change a value of a descriptor that is in use."""
        random = self.random
        index = random.randrange(max(1, self.next))
        values = list(SPLIT_DESCRIPTOR.unpack_from(self.views[0], index * SPLIT_DESCRIPTOR.size))
        place = self.place
        end = place.guest + place.length
        limits = (
            (0, end, end - 1, end - 8, place.guest - 1, (1 << 64) - 1, (1 << 64) - 8, 0xFFFF_FFFF_0000, values[0] + 1),
            (*_LENGTHS, place.length & 0xFFFF_FFFF),
            _FLAGS,
            (index, 0, place.size - 1, place.size, 0xFFFF),
        )
        at = random.randrange(len(values))
        values[at] = random.choice(limits[at]) & ((1 << 64) - 1)
        if at == 3:
            values[2] |= DescriptorFlag.NEXT
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
            *self.buffers,
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
    driver._put(0, driver.buffer(table), length & 0xFFFF_FFFF, flags, 1)


def _far_ahead(driver: _Driver) -> None:
    """More is available than the ring can have."""
    size = driver.place.size
    driver.ring.avail_idx += driver.random.choice((1, size, size + 1, 0x7FFF, 0x8000, 0xFFFF))


def _beyond(driver: _Driver) -> None:
    """A head that is not in the table."""
    driver.offer(driver.random.choice((driver.place.size, driver.place.size + 5, 0xFFFF)))


_SPOILS: tuple[Callable[[_Driver], None], ...] = (_Driver.spoil, _Driver.spoil, _indirect, _far_ahead, _beyond)


def _requests(place: RingPlace, random: Random) -> Steps:
    driver = _Driver(place, random)
    for _ in range(random.randint(1, _MOST_REQUESTS)):
        driver.offer(driver.chain())
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        random.choice(_SPOILS)(driver)
    return driver.steps()
