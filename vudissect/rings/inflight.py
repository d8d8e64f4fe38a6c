"""In-flight memory of split rings: which requests a device has taken and not yet given back.

Source: QEMU docs/interop/vhost-user.rst, Inflight I/O tracking, QueueRegionSplit and DescStateSplit.
"""

from struct import Struct
from typing import NamedTuple

_HEAD = Struct("<QHHHH")
_ENTRY = Struct("<B5xHQ")
_WRAP = 0x10000
_ALIGNMENT = 64
_USED_IDX = Struct("<H")
_USED_IDX_AT = 14
_VERSION = 1


class Tracked(NamedTuple):
    """A request in flight: its head, and a counter that says in which order they were taken."""

    head: int
    counter: int


def region_size(size: int) -> int:
    """How many bytes a ring with so many entries takes."""
    return (_HEAD.size + _ENTRY.size * size + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT


class InflightRegion:
    """That of one ring."""

    def __init__(self, contents: memoryview, size: int) -> None:
        self._contents = contents
        self.size = size

    def begin(self) -> None:
        """Write the header of a region that nobody has used yet."""
        features, version, _, batch, used = _HEAD.unpack_from(self._contents)
        if not version:
            _HEAD.pack_into(self._contents, 0, features, _VERSION, self.size, batch, used)

    @property
    def in_use(self) -> bool:
        """Whether a back-end has written its header."""
        return bool(_HEAD.unpack_from(self._contents)[1])

    @property
    def used(self) -> int:
        """The index of the used ring."""
        return int(_USED_IDX.unpack_from(self._contents, _USED_IDX_AT)[0])

    @used.setter
    def used(self, value: int) -> None:
        _USED_IDX.pack_into(self._contents, _USED_IDX_AT, value)

    def mark(self, head: int, counter: int) -> None:
        """A request is taken."""
        _ENTRY.pack_into(self._contents, _HEAD.size + head * _ENTRY.size, 1, 0, counter)

    def clear(self, head: int) -> None:
        """It is not in flight any more."""
        _ENTRY.pack_into(self._contents, _HEAD.size + head * _ENTRY.size, 0, 0, 0)

    def give_back(self, head: int) -> None:
        """A request is about to be written to the used ring."""
        features, version, size, last, used = _HEAD.unpack_from(self._contents)
        _, _, counter = self._entry(head)
        _ENTRY.pack_into(self._contents, _HEAD.size + head * _ENTRY.size, 1, last, counter)
        _HEAD.pack_into(self._contents, 0, features, version, size, head, used)

    def commit(self, head: int) -> None:
        """It has been written there."""
        self.clear(head)
        self.used = (self.used + 1) % _WRAP

    def recover(self, used_idx: int) -> None:
        """Clear what was written to the used ring, which has this index, before the device ended."""
        head = int(_HEAD.unpack_from(self._contents)[3])
        for _ in range(min((used_idx - self.used) % _WRAP, self.size)):
            if head >= self.size:
                break
            following = self._entry(head)[1]
            self.clear(head)
            head = following
        self.used = used_idx

    @property
    def tracked(self) -> list[Tracked]:
        """What is in flight, in the order in which it was taken."""
        entries = [self._entry(head) for head in range(self.size)]
        found = [Tracked(head, counter) for head, (inflight, _, counter) in enumerate(entries) if inflight]
        return sorted(found, key=lambda each: each.counter)

    def _entry(self, head: int) -> tuple[int, int, int]:
        inflight, following, counter = _ENTRY.unpack_from(self._contents, _HEAD.size + head * _ENTRY.size)
        return inflight, following, counter
