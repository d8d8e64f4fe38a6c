"""The guest memory of a case: where rings and buffers are in it."""

from vudissect.conversation.descriptors import memfd
from vudissect.rings.chain import Buffer
from vudissect.rings.memory import GuestMemory, Region

SIZE = 16 << 20
GUEST_ADDRESS = 0
USER_ADDRESS = 0x7F00_0000_0000
RAM = memfd("ram", SIZE)._replace(identity="memfd:ram")
"""As the talk has it: `mem#ram (memfd ram 16M)`."""

_RING_ROOM = 1 << 20
_BUFFERS_AT = 8 << 20
_ALIGNMENT = 64


class Arena:
    """Memory that is mapped here, given out piece by piece."""

    def __init__(self, contents: memoryview) -> None:
        self.contents = contents
        self.memory = GuestMemory([Region(GUEST_ADDRESS, USER_ADDRESS, contents)])
        self._next = _BUFFERS_AT
        self._rings = 0

    def ring_at(self) -> int:
        """The offset of room for another ring."""
        self._rings += 1
        return self._rings * _RING_ROOM - _RING_ROOM // 2

    def buffer(self, contents: bytes | int, *, writable: bool = False) -> Buffer:
        """A buffer with these contents, or an empty one of this size."""
        data = bytes(contents) if isinstance(contents, int) else contents
        start = self._next
        if start + len(data) > SIZE:
            start = _BUFFERS_AT
        self._next = (start + len(data) + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
        self.contents[start : start + len(data)] = data
        return Buffer(GUEST_ADDRESS + start, len(data), writable)

    def read(self, buffer: Buffer) -> bytes:
        """What is in a buffer."""
        return bytes(self.memory.at_guest(buffer.address, buffer.length))


def page_region(number: int) -> str:
    """A region of one page, as in a talk; it overlaps with no other number's."""
    offset = number * 0x1000
    return f"{0x1_0000_0000 + offset:#x}+4K at {0x7E00_0000_0000 + offset:#x} file+{offset:#x}"
