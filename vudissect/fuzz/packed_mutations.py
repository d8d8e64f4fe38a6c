"""What a driver may not do with a packed ring: descriptors, wrap counters and event areas that are wrong."""

from collections.abc import Callable, Sequence
from random import Random

from vudissect.fuzz.places import RingPlace
from vudissect.fuzz.ring_requests import Requests
from vudissect.fuzz.steps import Kick, Steps, Write
from vudissect.rings.chain import DESCRIPTOR_SIZE, PACKED_DESCRIPTOR, Buffer, DescriptorFlag
from vudissect.rings.packed import Position

_MOST_REQUESTS = 3
_TURN = DescriptorFlag.AVAIL | DescriptorFlag.USED
# Each is turned over.
_FLAGS = (*DescriptorFlag, _TURN, DescriptorFlag.INDIRECT | DescriptorFlag.NEXT, 0x7F7C, 0xFFFF)
_EVENT_FLAGS = (0, 1, 2, 3, 0xFFFF)


class _Driver:
    """Descriptors to write, by their places in the ring; `here` is where the next one goes."""

    def __init__(self, place: RingPlace, random: Random) -> None:
        self.requests = Requests(place, random)
        self.place = place
        self.random = random
        self.here = Position(place.size, place.base)
        self.here.index %= place.size
        self.entries: dict[int, tuple[int, int, int, int]] = {}
        self.event: bytes | None = None

    def offer(self, buffers: Sequence[Buffer], flags: int = 0) -> None:
        """Make a request available; all of its descriptors have these flags besides."""
        number = len(self.entries) % self.place.size
        for left, each in reversed(list(enumerate(reversed(buffers)))):
            kind = (DescriptorFlag.NEXT if left else 0) | (DescriptorFlag.WRITE if each.writable else 0)
            self.entries[self.here.index] = (each.address, each.length, number, self.here.available | kind | flags)
            self.here.advance()

    def one(self) -> int:
        """The place of a descriptor that is used."""
        return self.random.choice(list(self.entries))

    def steps(self) -> Steps:
        """All of it, and a kick."""
        place = self.place
        entries = [
            Write(place.memory, place.desc + index * DESCRIPTOR_SIZE, PACKED_DESCRIPTOR.pack(*entry))
            for index, entry in self.entries.items()
        ]
        # The first one hands over the others.
        entries.reverse()
        event = () if self.event is None else (Write(place.memory, place.avail, self.event),)
        return (*self.requests.written, *event, *entries, Kick(place.kick))


def _value(driver: _Driver) -> None:
    """An address, a length or an id at a limit."""
    random, index = driver.random, driver.one()
    address, length, number, flags = driver.entries[index]
    match random.randrange(3):
        case 0:
            address = driver.requests.bad_address(address)
        case 1:
            length = driver.requests.bad_length()
        case _:
            number = random.choice((driver.place.size, driver.place.size - 1, number + 1, 0x7FFF, 0xFFFF)) & 0xFFFF
    driver.entries[index] = (address, length, number, flags)


def _flags(driver: _Driver) -> None:
    """Flags that say otherwise: used or of the other turn, chained, to be written, a table, or reserved ones."""
    index = driver.one()
    address, length, number, flags = driver.entries[index]
    driver.entries[index] = (address, length, number, flags ^ driver.random.choice(_FLAGS))


def _same_id(driver: _Driver) -> None:
    """All requests have one id."""
    for index, (address, length, _, flags) in driver.entries.items():
        driver.entries[index] = (address, length, 0, flags)


def _wrap(driver: _Driver) -> None:
    """The wrap counter of one lap more or less: what comes from now on is not available, or is it all."""
    driver.here.wrap = not driver.here.wrap
    driver.offer(driver.requests.request())


def _no_end(driver: _Driver) -> None:
    """A chain that goes once around the ring, or further."""
    size = driver.place.size
    (buffer, *_) = driver.requests.request()
    driver.offer([buffer] * driver.random.choice((size - 1, size, size + 1)), DescriptorFlag.NEXT)


def _indirect(driver: _Driver) -> None:
    """A table, with a length that is not one of a table, or with a table in it."""
    random = driver.random
    nested = random.choice((0, 0, DescriptorFlag.INDIRECT, DescriptorFlag.NEXT))
    table = b"".join(
        PACKED_DESCRIPTOR.pack(each.address, each.length, 0, nested | (DescriptorFlag.WRITE if each.writable else 0))
        for each in driver.requests.request()
    )
    length = random.choice((len(table), len(table) - 1, 0, DESCRIPTOR_SIZE, 0xFFFF_FFF0, len(table) * 64))
    flags = DescriptorFlag.INDIRECT | random.choice((0, DescriptorFlag.NEXT, DescriptorFlag.WRITE))
    driver.offer([Buffer(driver.requests.buffer(table), length)], flags)


def _event(driver: _Driver) -> None:
    """A call that is wanted at a place that is not in the ring, or in a way that there is not."""
    size = driver.place.size
    where = driver.random.choice((0, size - 1, size, 0x7FFF, 0x8000, 0x8000 | size, 0xFFFF)) & 0xFFFF
    driver.event = where.to_bytes(2, "little") + driver.random.choice(_EVENT_FLAGS).to_bytes(2, "little")


_SPOILS: tuple[Callable[[_Driver], None], ...] = (
    _value,
    _value,
    _flags,
    _flags,
    _same_id,
    _wrap,
    _no_end,
    _indirect,
    _event,
)


def packed_requests(place: RingPlace, random: Random) -> Steps:
    """Requests in a packed ring, mostly with something wrong, and a kick."""
    driver = _Driver(place, random)
    for _ in range(random.randint(1, _MOST_REQUESTS)):
        driver.offer(driver.requests.request())
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        random.choice(_SPOILS)(driver)
    return driver.steps()
