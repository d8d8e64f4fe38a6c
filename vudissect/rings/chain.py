"""What is in a ring: buffers, chained into a request. The same for split and packed rings."""

from collections.abc import Iterable
from enum import IntFlag
from struct import Struct
from typing import NamedTuple

from vudissect.rings.memory import GuestMemory, RingError

DESCRIPTOR_SIZE = 16


class DescriptorFlag(IntFlag):
    """Flags of a descriptor; AVAIL and USED are of packed rings only."""

    NEXT = 0x1
    WRITE = 0x2
    INDIRECT = 0x4
    AVAIL = 0x80
    USED = 0x8000


class Buffer(NamedTuple):
    """A piece of guest memory; the device may write to it, or read it."""

    address: int
    length: int
    writable: bool = False


class Chain(NamedTuple):
    """A request as a device finds it: its id (of the head, or of the buffer), and how many descriptors it takes."""

    id: int
    buffers: tuple[Buffer, ...]
    descriptors: int = 1
    is_indirect: bool = False

    def read(self, memory: GuestMemory) -> bytes:
        """All that the device may read."""
        return b"".join(
            bytes(piece)
            for buffer in self.buffers
            if not buffer.writable
            for piece in memory.pieces(buffer.address, buffer.length)
        )

    @property
    def room(self) -> int:
        """How many bytes the device may write."""
        return sum(buffer.length for buffer in self.buffers if buffer.writable)

    def write(self, memory: GuestMemory, data: bytes) -> int:
        """Write an answer into the buffers for it, one after the other; how many bytes."""
        if len(data) > self.room:
            raise RingError(f"{len(data)} bytes do not fit into the {self.room} of the request")
        done = 0
        for buffer in self.buffers:
            if buffer.writable:
                for piece in memory.pieces(buffer.address, min(buffer.length, len(data) - done)):
                    piece[:] = data[done : done + len(piece)]
                    done += len(piece)
        return done


class Used(NamedTuple):
    """A request that a device is done with: its id, and how many bytes the device says it wrote."""

    id: int
    length: int


# Of split rings and of indirect tables: address, length, flags, next.
SPLIT_DESCRIPTOR = Struct("<QIHH")
# Of packed rings: address, length, buffer id, flags.
PACKED_DESCRIPTOR = Struct("<QIHH")


def split_table(buffers: Iterable[Buffer]) -> bytes:
    """An indirect table of a split ring."""
    entries = tuple(buffers)
    return b"".join(
        SPLIT_DESCRIPTOR.pack(
            buffer.address,
            buffer.length,
            (DescriptorFlag.WRITE if buffer.writable else 0) | (DescriptorFlag.NEXT if number < len(entries) else 0),
            number if number < len(entries) else 0,
        )
        for number, buffer in enumerate(entries, 1)
    )


def packed_table(buffers: Iterable[Buffer]) -> bytes:
    """An indirect table of a packed ring: entries in order, without a next."""
    return b"".join(
        PACKED_DESCRIPTOR.pack(buffer.address, buffer.length, 0, DescriptorFlag.WRITE if buffer.writable else 0)
        for buffer in buffers
    )


def walk_table(table: memoryview, first: int) -> list[Buffer]:
    """The chain that begins at an entry of a table; `RingError` for one that does not end, or leaves the table."""
    size = len(table) // DESCRIPTOR_SIZE
    buffers: list[Buffer] = []
    index = first
    while True:
        if index >= size:
            raise RingError(f"descriptor {index} of a table of {size}")
        if len(buffers) >= size:
            raise RingError(f"a chain of descriptors that never ends, from {first}")
        address, length, flags, index = SPLIT_DESCRIPTOR.unpack_from(table, index * DESCRIPTOR_SIZE)
        if flags & DescriptorFlag.INDIRECT:
            raise RingError("an indirect descriptor within a chain")
        buffers.append(Buffer(address, length, bool(flags & DescriptorFlag.WRITE)))
        if not flags & DescriptorFlag.NEXT:
            return buffers
