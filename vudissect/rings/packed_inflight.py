"""In-flight memory of packed rings: a copy of every descriptor that a device has taken and not yet given back.

A device may give back requests in another order than that in which it took them, and writes over descriptors of others
then: so they are kept here, chained, beside a list of free entries. Whatever is changed is changed twice, before and
after the ring itself, so that a device that ended in between finds out how far it was.

Source: QEMU docs/interop/vhost-user.rst, Inflight I/O tracking, QueueRegionPacked and DescStatePacked.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import NamedTuple

from vudissect.rings.chain import Buffer, Chain, DescriptorFlag
from vudissect.rings.memory import GuestMemory
from vudissect.rings.packed import Position, table_buffers

_HEAD = Struct("<QHHHHHHBB10x")
_ENTRY = Struct("<BxHHHQHHIQ")
_ALIGNMENT = 64
_VERSION = 1
_TURN = DescriptorFlag.AVAIL | DescriptorFlag.USED


class Descriptor(NamedTuple):
    """A descriptor as it was in the ring."""

    address: int
    length: int
    id: int
    flags: int


class TrackedChain(NamedTuple):
    """A request in flight: its entry here, a counter for the order in which they were taken, and its descriptors."""

    entry: int
    counter: int
    descriptors: tuple[Descriptor, ...]

    @property
    def id(self) -> int:
        """The buffer id, which is in the last descriptor."""
        return self.descriptors[-1].id

    def chain(self, memory: GuestMemory) -> Chain:
        """The request as a device takes it; `RingError` for an indirect table outside of memory."""
        first = self.descriptors[0]
        indirect = bool(first.flags & DescriptorFlag.INDIRECT)
        if indirect:
            buffers = table_buffers(memory.at_guest(first.address, first.length))
        else:
            buffers = [
                Buffer(each.address, each.length, bool(each.flags & DescriptorFlag.WRITE)) for each in self.descriptors
            ]
        return Chain(self.id, tuple(buffers), len(self.descriptors), indirect)


class _Head(NamedTuple):
    features: int
    version: int
    size: int
    free: int
    old_free: int
    used: int
    old_used: int
    wrap: int
    old_wrap: int


class _Entry(NamedTuple):
    inflight: int
    next: int
    last: int
    chained: int
    counter: int
    id: int
    flags: int
    length: int
    address: int


def region_size(size: int) -> int:
    """How many bytes a ring with so many entries takes."""
    return (_HEAD.size + _ENTRY.size * size + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT


class PackedInflightRegion:
    """That of one ring."""

    def __init__(self, contents: memoryview, size: int) -> None:
        self._contents = contents
        self.size = size

    def begin(self) -> None:
        """Write the header and the list of free entries of a region that nobody has used yet."""
        if self.in_use:
            return
        for number in range(self.size):
            self._put(number, _Entry(0, number + 1, 0, 0, 0, 0, 0, 0, 0))
        self._write(_Head(self._head.features, _VERSION, self.size, 0, 0, 0, 0, 1, 1))

    @property
    def in_use(self) -> bool:
        """Whether a back-end has written its header."""
        return bool(self._head.version)

    @property
    def used(self) -> int:
        """Where the next request is given back: 15 bits and the wrap counter, as in the base of a ring."""
        head = self._head
        return head.old_used | head.old_wrap << 15

    @property
    def is_settled(self) -> bool:
        """Whether nothing was begun that did not come to its end."""
        head = self._head
        return (head.free, head.used, head.wrap) == (head.old_free, head.old_used, head.old_wrap)

    def take(self, descriptors: Sequence[Descriptor], counter: int) -> int:
        """A request is taken; its entry, for when it is given back."""
        head = self._head
        first = head.old_free
        self._put(first, self._entry(first)._replace(inflight=1, chained=0, counter=counter))
        for number, descriptor in enumerate(descriptors, 1):
            if number == len(descriptors):
                self._put(first, self._entry(first)._replace(last=head.free))
            self._put(first, self._entry(first)._replace(chained=number))
            kept = self._entry(head.free)._replace(
                id=descriptor.id, flags=descriptor.flags, length=descriptor.length, address=descriptor.address
            )
            self._put(head.free, kept)
            head = head._replace(free=kept.next)
            self._write(head)
        self._write(head._replace(old_free=head.free))
        return first

    def give_back(self, entry: int) -> None:
        """A request is about to be written to the ring as used."""
        head, first = self._head, self._entry(entry)
        self._put(first.last, self._entry(first.last)._replace(next=head.free))
        place = Position(self.size, head.used | head.wrap << 15)
        place.advance(first.chained)
        self._write(head._replace(free=entry, used=place.index, wrap=int(place.wrap)))

    def commit(self, entry: int) -> None:
        """It has been written there."""
        self._put(entry, self._entry(entry)._replace(inflight=0))
        self._settle()

    def recover(self, flags_at: Callable[[int], int]) -> None:
        """Make up for an end in between; `flags_at` are the flags of a descriptor in the ring."""
        head = self._head
        if head.used != head.old_used:
            place = Position(self.size, head.old_used | head.old_wrap << 15)
            if flags_at(place.index) & _TURN != place.available:
                self._settle()
                head = self._head
        self._write(head._replace(free=head.old_free, used=head.old_used, wrap=head.old_wrap))
        entry = head.old_free
        for _ in range(self.size):
            if entry >= self.size:
                break
            free = self._entry(entry)
            self._put(entry, free._replace(inflight=0))
            entry = free.next

    @property
    def tracked(self) -> list[TrackedChain]:
        """What is in flight, in the order in which it was taken."""
        heads = [(number, self._entry(number)) for number in range(self.size)]
        found = [TrackedChain(number, head.counter, self._chain(number)) for number, head in heads if head.inflight]
        return sorted(found, key=lambda each: each.counter)

    @property
    def descriptors(self) -> int:
        """How many descriptors are in flight."""
        entries = (self._entry(number) for number in range(self.size))
        return min(self.size, sum(entry.chained for entry in entries if entry.inflight))

    def _chain(self, entry: int) -> tuple[Descriptor, ...]:
        found: list[Descriptor] = []
        count = self._entry(entry).chained
        while len(found) < min(count, self.size) and entry < self.size:
            kept = self._entry(entry)
            found.append(Descriptor(kept.address, kept.length, kept.id, kept.flags))
            entry = kept.next
        return tuple(found)

    def _settle(self) -> None:
        head = self._head
        self._write(head._replace(old_free=head.free, old_used=head.used, old_wrap=head.wrap))

    @property
    def _head(self) -> _Head:
        return _Head(*_HEAD.unpack_from(self._contents))

    def _write(self, head: _Head) -> None:
        _HEAD.pack_into(self._contents, 0, *head)

    def _entry(self, number: int) -> _Entry:
        return _Entry(*_ENTRY.unpack_from(self._contents, _HEAD.size + number * _ENTRY.size))

    def _put(self, number: int, entry: _Entry) -> None:
        _ENTRY.pack_into(self._contents, _HEAD.size + number * _ENTRY.size, *entry)
