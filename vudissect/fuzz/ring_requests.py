"""What a driver wants of a device, as buffers in the memory of a session; and what no driver may write there."""

from random import Random

from vudissect.fuzz.places import RingPlace
from vudissect.fuzz.steps import Step, Write
from vudissect.rings.chain import Buffer

BUFFER = 0x1000
BUFFERS = 16
"""How many there are, of how many bytes."""

_LENGTHS = (0, 1, 8, 15, 16, 17, 512, 513, 4096, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_HEADER_WORDS = (0, 1, 2, 4, 8, 11, 13, 14, 0x7777, 0xFFFF_FFFF)
_STATUS = 1


class Requests:
    """Requests for a ring; `written` are the buffers that they need."""

    def __init__(self, place: RingPlace, random: Random) -> None:
        self.place = place
        self.random = random
        self.written: list[Step] = []

    def buffer(self, contents: bytes) -> int:
        """The guest address of a buffer with these contents, in the second half of the region."""
        place = self.place
        offset = place.length // 2 + BUFFER * (len(self.written) % BUFFERS)
        self.written.append(Write(place.memory, place.start + offset, contents))
        return place.guest + offset

    def request(self) -> list[Buffer]:
        """A request as a disk knows it: a header, data, a byte of status."""
        random = self.random
        kind, sector = random.choice(_HEADER_WORDS), random.choice((0, 1, 1 << 54, (1 << 64) - 1))
        header = kind.to_bytes(4, "little") + bytes(4) + sector.to_bytes(8, "little")
        pieces = [(header, False)] + [(bytes(random.choice((512, 4096))), kind != 1)] * random.choice((0, 1, 1, 2))
        pieces.append((bytes(_STATUS), True))
        return [Buffer(self.buffer(contents), len(contents), writable) for contents, writable in pieces]

    def bad_address(self, address: int) -> int:
        """At the ends of the region and of all memory, or one byte further."""
        start, end = self.place.guest, self.place.guest + self.place.length
        wraps = (1 << 64) - 1
        return self.random.choice(
            (0, end, end - 1, end - 8, start - 1, wraps, wraps - 7, 0xFFFF_FFFF_0000, address + 1)
        ) & ((1 << 64) - 1)

    def bad_length(self) -> int:
        """None, a little too much, or far too much."""
        return self.random.choice((*_LENGTHS, self.place.length & 0xFFFF_FFFF))
