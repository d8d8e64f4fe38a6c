"""A packed virtqueue: one ring of descriptors that driver and device write in turn, and two event areas."""

from collections.abc import Sequence
from struct import Struct

from vudissect.rings.chain import (
    DESCRIPTOR_SIZE,
    PACKED_DESCRIPTOR,
    Buffer,
    Chain,
    DescriptorFlag,
    Used,
)
from vudissect.rings.memory import GuestMemory, RingError
from vudissect.rings.places import WRAP
from vudissect.rings.words import store

_EVENT = Struct("<HH")
_FLAGS = Struct("<H")
_ALL_BUT_FLAGS = Struct("<QIH")
_FLAGS_AT = 14
_DISABLE = 1
_AT_DESCRIPTOR = 2


def parts(size: int) -> tuple[int, int, int]:
    """How many bytes the three parts of a ring take: descriptors, driver's event area, device's event area."""
    return size * DESCRIPTOR_SIZE, 4, 4


class Position:
    """A place in a packed ring with its wrap counter; begins at 0 with the counter set."""

    def __init__(self, size: int, word: int = WRAP) -> None:
        self._size = size
        self.index = word & ~WRAP
        self.wrap = bool(word & WRAP)

    @property
    def word(self) -> int:
        """As in the message that asks for the base: 15 bits and the wrap counter."""
        return self.index | (WRAP if self.wrap else 0)

    def advance(self, count: int = 1) -> None:
        """Go on, and turn the wrap counter at the end of the ring."""
        self.index += count
        if self.index >= self._size:
            self.index -= self._size
            self.wrap = not self.wrap

    @property
    def available(self) -> int:
        """The flags of a descriptor here that is available."""
        return DescriptorFlag.AVAIL if self.wrap else DescriptorFlag.USED

    @property
    def used(self) -> int:
        """The flags of a descriptor here that is used."""
        return DescriptorFlag.AVAIL | DescriptorFlag.USED if self.wrap else 0


_TURN = DescriptorFlag.AVAIL | DescriptorFlag.USED


class PackedRing:
    """The parts in memory; both sides read and write through this."""

    def __init__(self, size: int, desc: memoryview, driver: memoryview, device: memoryview) -> None:
        self.size = size
        self.desc = desc
        self.driver = driver
        self.device = device

    def flags(self, index: int) -> int:
        """The flags of a descriptor."""
        return int(_FLAGS.unpack_from(self.desc, index * DESCRIPTOR_SIZE + _FLAGS_AT)[0])

    def entry(self, index: int) -> tuple[int, int, int, int]:
        """Address, length, buffer id and flags of a descriptor."""
        address, length, number, flags = PACKED_DESCRIPTOR.unpack_from(self.desc, index * DESCRIPTOR_SIZE)
        return address, length, number, flags

    def write(self, index: int, address: int, length: int, number: int, flags: int) -> None:
        """Write a descriptor, its flags last: they hand it over."""
        start = index * DESCRIPTOR_SIZE
        _ALL_BUT_FLAGS.pack_into(self.desc, start, address, length, number)
        store(self.desc, start + _FLAGS_AT, flags)

    @property
    def driver_event(self) -> tuple[int, int]:
        """Where, and whether, the driver wants a call."""
        where, flags = _EVENT.unpack_from(self.driver)
        return where, flags


class PackedDriver:
    """The driver's side: offers requests, collects what is done. Goes on at `base` (see `PackedDevice.base`)."""

    def __init__(self, ring: PackedRing, base: int = WRAP | WRAP << 16) -> None:
        self.ring = ring
        self._next = Position(ring.size, base & 0xFFFF)
        self._seen = Position(ring.size, base >> 16)
        self._ids = list(range(ring.size))
        self._lengths: dict[int, int] = {}
        self._free = ring.size

    def offer(self, buffers: Sequence[Buffer]) -> int:
        """Make a request available; its id. `RingError` if the ring is full."""
        if len(buffers) > self._free:
            raise RingError(f"a request of {len(buffers)} buffers does not fit, {self._free} descriptors are free")
        number = self._ids.pop(0)
        head, head_flags = self._next.index, 0
        for position, buffer in enumerate(buffers):
            flags = self._next.available | (DescriptorFlag.WRITE if buffer.writable else 0)
            flags |= DescriptorFlag.NEXT if position < len(buffers) - 1 else 0
            if position == 0:
                head_flags = flags
                self.ring.write(head, buffer.address, buffer.length, number, self.ring.flags(head))
            else:
                self.ring.write(self._next.index, buffer.address, buffer.length, number, flags)
            self._next.advance()
        store(self.ring.desc, head * DESCRIPTOR_SIZE + _FLAGS_AT, head_flags)
        self._lengths[number] = len(buffers)
        self._free -= len(buffers)
        return number

    def offer_indirect(self, table: Buffer) -> int:
        """Make a request available whose buffers are in a table."""
        number = self._ids.pop(0)
        flags = self._next.available | DescriptorFlag.INDIRECT
        self.ring.write(self._next.index, table.address, table.length, number, flags)
        self._next.advance()
        self._lengths[number] = 1
        self._free -= 1
        return number

    def collect(self) -> list[Used]:
        """What the device is done with since the last time."""
        done: list[Used] = []
        while self.ring.flags(self._seen.index) & _TURN == self._seen.used and self._free < self.ring.size:
            _, length, number, _ = self.ring.entry(self._seen.index)
            count = self._lengths.pop(number, 1)
            self._ids.append(number)
            self._free += count
            done.append(Used(number, length))
            self._seen.advance(count)
        return done

    def offer_raw(self, *descriptors: tuple[Buffer, int]) -> None:
        """Make descriptors available as they are, with these flags; the first of them last, as it hands all over."""
        written = []
        for buffer, flags in descriptors:
            written.append((self._next.index, buffer, flags | self._next.available))
            self._next.advance()
        for index, buffer, flags in reversed(written):
            self.ring.write(index, buffer.address, buffer.length, 0, flags)

    def want_no_calls(self) -> None:
        """Ask the device not to notify."""
        _EVENT.pack_into(self.ring.driver, 0, 0, _DISABLE)

    def want_call_for_next(self) -> None:
        """Ask the device to notify when the next request is done, with EVENT_IDX."""
        _EVENT.pack_into(self.ring.driver, 0, self._seen.word, _AT_DESCRIPTOR)

    @property
    def room(self) -> int:
        """How many descriptors are free."""
        return self._free

    @property
    def seen(self) -> int:
        """Up to where it has collected what is done: a place with its wrap counter."""
        return self._seen.word

    @property
    def base(self) -> int:
        """Where the device is when it has taken and used all that was offered."""
        return self._next.word | self._next.word << 16


class PackedDevice:
    """The device's side: takes requests, gives them back. Goes on at `base`."""

    def __init__(self, ring: PackedRing, base: int = WRAP | WRAP << 16, *, event_index: bool = False) -> None:
        self.ring = ring
        self._next = Position(ring.size, base & 0xFFFF)
        self._used = Position(ring.size, base >> 16)
        self._event_index = event_index

    def take(self, memory: GuestMemory) -> Chain | None:
        """The next request, None if there is none; `RingError` for one that no driver may offer."""
        buffers: list[Buffer] = []
        if self.ring.flags(self._next.index) & _TURN != self._next.available:
            return None
        here = Position(self.ring.size, self._next.word)
        while True:
            address, length, number, flags = self.ring.entry(here.index)
            here.advance()
            if flags & DescriptorFlag.INDIRECT:
                buffers += table_buffers(memory.at_guest(address, length))
            else:
                buffers.append(Buffer(address, length, bool(flags & DescriptorFlag.WRITE)))
            if not flags & DescriptorFlag.NEXT:
                break
            if len(buffers) >= self.ring.size:
                raise RingError("a chain of descriptors that never ends")
        count = (here.index - self._next.index) % self.ring.size or self.ring.size
        self._next = here
        return Chain(number, tuple(buffers), count, bool(flags & DescriptorFlag.INDIRECT))

    def skip_to(self, word: int) -> None:
        """Go on here: a place with its wrap counter."""
        self._next = Position(self.ring.size, word & 0xFFFF)

    def complete(self, chain: Chain, written: int) -> bool:
        """Give a request back; whether the driver wants to be called."""
        here = self._used.word
        self.ring.write(self._used.index, 0, written, chain.id, self._used.used)
        self._used.advance(chain.descriptors)
        where, flags = self.ring.driver_event
        if self._event_index and flags == _AT_DESCRIPTOR:
            return where == here
        return flags != _DISABLE

    @property
    def used_place(self) -> Position:
        """The place to give back to."""
        return Position(self.ring.size, self._used.word)

    @property
    def base(self) -> int:
        """Where it is: the place to take from, and in the high half the place to give back to."""
        return self._next.word | self._used.word << 16


def table_buffers(table: memoryview) -> list[Buffer]:
    """The buffers in an indirect table."""
    return [
        Buffer(address, length, bool(flags & DescriptorFlag.WRITE))
        for address, length, _, flags in PACKED_DESCRIPTOR.iter_unpack(table[: len(table) // 16 * 16])
    ]
