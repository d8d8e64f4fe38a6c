"""A split virtqueue: descriptor table, available ring and used ring, as the driver and as the device use them."""

from collections.abc import Sequence
from struct import Struct

from vudissect.rings.chain import (
    DESCRIPTOR_SIZE,
    SPLIT_DESCRIPTOR,
    Buffer,
    Chain,
    DescriptorFlag,
    Used,
    walk_table,
)
from vudissect.rings.memory import GuestMemory, RingError
from vudissect.rings.words import store

_U16 = Struct("<H")
_USED = Struct("<II")
_WRAP = 0x10000
_NO_INTERRUPT = 1


def parts(size: int) -> tuple[int, int, int]:
    """How many bytes the three parts of a ring take, with the event indices: descriptors, available, used."""
    return size * DESCRIPTOR_SIZE, 6 + 2 * size, 6 + 8 * size


class SplitRing:
    """The three parts in memory; both sides read and write through this."""

    def __init__(self, size: int, desc: memoryview, avail: memoryview, used: memoryview) -> None:
        self.size = size
        self.desc = desc
        self.avail = avail
        self.used = used

    @property
    def avail_idx(self) -> int:
        """How many requests the driver has made available, modulo 65536."""
        return int(_U16.unpack_from(self.avail, 2)[0])

    @avail_idx.setter
    def avail_idx(self, value: int) -> None:
        store(self.avail, 2, value % _WRAP)

    @property
    def used_idx(self) -> int:
        """How many requests the device has used, modulo 65536."""
        return int(_U16.unpack_from(self.used, 2)[0])

    @used_idx.setter
    def used_idx(self, value: int) -> None:
        store(self.used, 2, value % _WRAP)

    @property
    def used_event(self) -> int:
        """Up to where the driver wants no call, with EVENT_IDX."""
        return int(_U16.unpack_from(self.avail, 4 + 2 * self.size)[0])

    @used_event.setter
    def used_event(self, value: int) -> None:
        store(self.avail, 4 + 2 * self.size, value % _WRAP)

    @property
    def avail_event(self) -> int:
        """Up to where the device wants no kick, with EVENT_IDX."""
        return int(_U16.unpack_from(self.used, 4 + 8 * self.size)[0])

    @avail_event.setter
    def avail_event(self, value: int) -> None:
        store(self.used, 4 + 8 * self.size, value % _WRAP)

    @property
    def avail_flags(self) -> int:
        """1: the driver wants no calls."""
        return int(_U16.unpack_from(self.avail, 0)[0])

    @avail_flags.setter
    def avail_flags(self, value: int) -> None:
        _U16.pack_into(self.avail, 0, value)

    def set_descriptor(self, index: int, buffer: Buffer, flags: int = 0, following: int = 0) -> None:
        """Write an entry of the descriptor table."""
        flags |= DescriptorFlag.WRITE if buffer.writable else 0
        SPLIT_DESCRIPTOR.pack_into(self.desc, index * DESCRIPTOR_SIZE, buffer.address, buffer.length, flags, following)

    def set_available(self, position: int, head: int) -> None:
        """Write an entry of the available ring."""
        _U16.pack_into(self.avail, 4 + 2 * (position % self.size), head)

    def available(self, position: int) -> int:
        """An entry of the available ring: the head of a chain."""
        return int(_U16.unpack_from(self.avail, 4 + 2 * (position % self.size))[0])

    def set_used(self, position: int, used: Used) -> None:
        """Write an entry of the used ring."""
        _USED.pack_into(self.used, 4 + 8 * (position % self.size), *used)

    def used_at(self, position: int) -> Used:
        """An entry of the used ring."""
        return Used(*_USED.unpack_from(self.used, 4 + 8 * (position % self.size)))


class SplitDriver:
    """The driver's side: offers requests, collects what is done. Goes on at `base`."""

    def __init__(self, ring: SplitRing, base: int = 0) -> None:
        self.ring = ring
        self._next = self._seen = base
        self._free = list(range(ring.size))
        self._taken: dict[int, list[int]] = {}
        ring.avail_idx = base
        ring.used_idx = base

    def offer(self, buffers: Sequence[Buffer]) -> int:
        """Make a request available; its id. `RingError` if the ring is full."""
        if len(buffers) > len(self._free):
            raise RingError(f"a request of {len(buffers)} buffers does not fit, {len(self._free)} descriptors are free")
        indices = [self._free.pop(0) for _ in buffers]
        for position, (index, buffer) in enumerate(zip(indices, buffers, strict=True), 1):
            more = position < len(indices)
            self.ring.set_descriptor(
                index, buffer, DescriptorFlag.NEXT if more else 0, indices[position] if more else 0
            )
        return self._publish(indices)

    def offer_indirect(self, table: Buffer) -> int:
        """Make a request available whose buffers are in a table."""
        index = self._free.pop(0)
        self.ring.set_descriptor(index, table, DescriptorFlag.INDIRECT)
        return self._publish([index])

    def offer_raw(self, head: int) -> None:
        """Make an entry of the descriptor table available as it is."""
        self.ring.set_available(self._next, head)
        self._advance()

    def collect(self) -> list[Used]:
        """What the device is done with since the last time."""
        done: list[Used] = []
        while self._seen != self.ring.used_idx:
            used = self.ring.used_at(self._seen)
            self._free += self._taken.pop(used.id, [])
            done.append(used)
            self._seen = (self._seen + 1) % _WRAP
            self.ring.used_event = self._seen
        return done

    def want_no_calls(self) -> None:
        """Ask the device not to notify."""
        self.ring.avail_flags = _NO_INTERRUPT

    @property
    def room(self) -> int:
        """How many descriptors are free."""
        return len(self._free)

    @property
    def seen(self) -> int:
        """Up to where it has collected what is done."""
        return self._seen

    @property
    def base(self) -> int:
        """Where the device is when it has taken all that was offered."""
        return self._next

    def _publish(self, indices: list[int]) -> int:
        self._taken[indices[0]] = indices
        self.ring.set_available(self._next, indices[0])
        self._advance()
        return indices[0]

    def _advance(self) -> None:
        self._next = (self._next + 1) % _WRAP
        self.ring.avail_idx = self._next


class SplitDevice:
    """The device's side: takes requests, gives them back. Goes on at `base`."""

    def __init__(self, ring: SplitRing, base: int = 0, *, event_index: bool = False) -> None:
        self.ring = ring
        self._taken = base % _WRAP
        self._event_index = event_index

    def take(self, memory: GuestMemory) -> Chain | None:
        """The next request, None if there is none; `RingError` for one that no driver may offer."""
        if self._event_index:
            # Before the index is read: what is made available after that is kicked.
            self.ring.avail_event = self._taken
        ahead = (self.ring.avail_idx - self._taken) % _WRAP
        if ahead > self.ring.size:
            raise RingError(f"{ahead} requests are available in a ring of {self.ring.size}")
        if not ahead:
            return None
        chain = self.chain_at(self.ring.available(self._taken), memory)
        self.skip_to(self._taken + 1)
        return chain

    def skip_to(self, position: int) -> None:
        """Go on here in the available ring."""
        self._taken = position % _WRAP

    def chain_at(self, head: int, memory: GuestMemory) -> Chain:
        """The request that begins with this descriptor; `RingError` for one that no driver may offer."""
        if head >= self.ring.size:
            raise RingError(f"descriptor {head} of a table of {self.ring.size}")
        address, length, flags, _ = SPLIT_DESCRIPTOR.unpack_from(self.ring.desc, head * DESCRIPTOR_SIZE)
        if flags & DescriptorFlag.INDIRECT:
            buffers = walk_table(memory.at_guest(address, length), 0)
        else:
            buffers = walk_table(self.ring.desc, head)
        return Chain(head, tuple(buffers), is_indirect=bool(flags & DescriptorFlag.INDIRECT))

    def complete(self, chain: Chain, written: int) -> bool:
        """Give a request back; whether the driver wants to be called."""
        before = self.ring.used_idx
        self.ring.set_used(before, Used(chain.id, written))
        self.ring.used_idx = before + 1
        if self._event_index:
            return self.ring.used_event == before
        return not self.ring.avail_flags & _NO_INTERRUPT

    @property
    def base(self) -> int:
        """Where it is in the available ring."""
        return self._taken
