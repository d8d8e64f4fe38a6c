"""In-flight memory of split rings: which requests a device has taken and not yet given back.

Source: QEMU docs/interop/vhost-user.rst, Inflight I/O tracking, QueueRegionSplit and DescStateSplit.
"""

from struct import Struct
from typing import NamedTuple

_HEAD = Struct("<QHHHH")
_ENTRY = Struct("<B5xHQ")
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
    def used_idx(self) -> int:
        """The index of the used ring."""
        return int(_USED_IDX.unpack_from(self._contents, _USED_IDX_AT)[0])

    @used_idx.setter
    def used_idx(self, value: int) -> None:
        _USED_IDX.pack_into(self._contents, _USED_IDX_AT, value)

    def mark(self, head: int, counter: int) -> None:
        """A request is taken."""
        _ENTRY.pack_into(self._contents, _HEAD.size + head * _ENTRY.size, 1, 0, counter)

    def clear(self, head: int) -> None:
        """It is given back."""
        _ENTRY.pack_into(self._contents, _HEAD.size + head * _ENTRY.size, 0, 0, 0)

    @property
    def tracked(self) -> list[Tracked]:
        """What is in flight, in the order in which it was taken."""
        entries = [_ENTRY.unpack_from(self._contents, _HEAD.size + head * _ENTRY.size) for head in range(self.size)]
        found = [Tracked(head, counter) for head, (inflight, _, counter) in enumerate(entries) if inflight]
        return sorted(found, key=lambda each: each.counter)
