"""The guest memory of a case: where rings and buffers are in it."""

from vudissect.conversation.descriptors import memfd
from vudissect.rings.chain import Buffer
from vudissect.rings.memory import GuestMemory, Region, RingError

SIZE = 16 << 20
GUEST_ADDRESS = 0
USER_ADDRESS = 0x7F00_0000_0000
IOVA = 0x10_0000_0000
RAM = memfd("ram", SIZE)._replace(identity="memfd:ram")
"""As the talk has it: `mem#ram (memfd ram 16M)`."""

LOG = memfd("log", 4096)._replace(identity="memfd:log")
"""As the talk has it: `mem#log (memfd log 4K)`; it covers all of the memory."""
SECOND_HALF = 12 << 20
"""Where the second region begins, if the memory is passed in two."""

_PAGE = 4096
_RINGS_AT = 1 << 19
_BUFFERS_AT = 8 << 20
_ALIGNMENT = 64
_BEFORE = 8


class Arena:
    """Memory that is mapped here, given out piece by piece."""

    def __init__(self, contents: memoryview) -> None:
        self.contents = contents
        self.user_address = USER_ADDRESS
        self.memory = GuestMemory([Region(GUEST_ADDRESS, USER_ADDRESS, contents)])
        self._second = GUEST_ADDRESS + SECOND_HALF
        self._next = _BUFFERS_AT
        self._rings = _RINGS_AT
        self._guest = GUEST_ADDRESS
        self.remembered: dict[str, int] = {}
        """What answers have said that later requests need."""
        self.ring_address: int | None = None
        """Where the memory begins for ring addresses, if that is not its user address."""

    def ring_at(self, length: int) -> int:
        """The offset of room for another ring; `RingError` if there is none."""
        start = self._rings
        self._rings += (length + _PAGE - 1) // _PAGE * _PAGE
        if self._rings > _BUFFERS_AT:
            raise RingError("there is no room for so many rings")
        return start

    def translate(self) -> None:
        """Rings and buffers have I/O virtual addresses from now on, far from all others."""
        self.ring_address = self._guest = IOVA
        self.memory = GuestMemory([Region(IOVA, IOVA, self.contents)])

    def split(self, second: int) -> None:
        """What is after `SECOND_HALF` is at this guest address from now on; the next buffer begins just before it."""
        first, other = self.contents[:SECOND_HALF], self.contents[SECOND_HALF:]
        self._second = second
        self.memory = GuestMemory(
            [Region(GUEST_ADDRESS, self.user_address, first), Region(second, self.user_address, other)]
        )
        self._next = SECOND_HALF - _BEFORE if second == GUEST_ADDRESS + SECOND_HALF else SECOND_HALF

    def go_on_at(self, offset: int) -> None:
        """The next buffer is at this offset."""
        self._next = offset

    def buffer(self, contents: bytes | int, *, writable: bool = False) -> Buffer:
        """A buffer with these contents, or an empty one of this size."""
        length = contents if isinstance(contents, int) else len(contents)
        start = self._next
        if start + length > SIZE:
            start = _BUFFERS_AT
        self._next = (start + length + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
        return self.buffer_at(start, contents, writable=writable)

    def buffer_at(self, offset: int, contents: bytes | int, *, writable: bool = False) -> Buffer:
        """The same at an offset in the memory."""
        data = bytes(contents) if isinstance(contents, int) else contents
        self.contents[offset : offset + len(data)] = data
        guest = (
            self._guest + offset
            if offset < SECOND_HALF or self.ring_address is not None
            else self._second + offset - SECOND_HALF
        )
        return Buffer(guest, len(data), writable)

    def read(self, buffer: Buffer) -> bytes:
        """What is in a buffer."""
        return b"".join(bytes(piece) for piece in self.memory.pieces(buffer.address, buffer.length))


def page_region(number: int) -> str:
    """A region of one page, as in a talk; it overlaps with no other number's."""
    offset = number * 0x1000
    return f"{0x1_0000_0000 + offset:#x}+4K at {0x7E00_0000_0000 + offset:#x} file+{offset:#x}"
