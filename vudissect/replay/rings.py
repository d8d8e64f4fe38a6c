"""Empty rings in the memory that is passed to a back-end: it finds virtqueues there instead of garbage.

Source: virtio specification, "Split Virtqueues". A packed ring of zeros is already empty, whatever its wrap
counters, and so is the flag word of a split ring.
"""

import errno
import os
from collections.abc import Callable
from struct import Struct

from vudissect.protocol.features import F_RING_PACKED
from vudissect.protocol.purpose import Purpose
from vudissect.session.event import MessageEvent
from vudissect.session.rings import Ring
from vudissect.session.state import State

_ABOUT_A_RING = frozenset({Purpose.SET_RING_ADDRESSES, Purpose.SET_RING_BASE, Purpose.SET_KICK})
_FLAGS_AND_INDEX = Struct("<HH")
# Offsets in a file.
_LARGEST_OFFSET = (1 << 63) - 1 - _FLAGS_AND_INDEX.size


def prepare_ring(live: MessageEvent, file_of: Callable[[str], int | None]) -> str:
    """Write the base of the ring that a message sets up, if any; return why it could not be written, or ""."""
    message = live.message
    if message.row.purpose not in _ABOUT_A_RING:
        return ""
    ring = live.after.rings.get(live.fields.get("index", -1))
    if ring is None:
        return ""
    try:
        _write_base(ring, live.after, file_of)
    except OSError as error:
        return f"ring {ring.index} cannot be written to the memory: {error.strerror}"
    return ""


def _write_base(ring: Ring, state: State, file_of: Callable[[str], int | None]) -> None:
    """Write the base of a ring into its indices, if both are known; `file_of` finds the memory of a region.

    Addresses that need an IOMMU are skipped; raises `OSError` if the memory cannot be written.
    """
    if ring.addresses is None or ring.base is None or state.features.has(F_RING_PACKED):
        return
    index = _FLAGS_AND_INDEX.pack(0, ring.base & 0xFFFF)
    for address in (ring.addresses.avail, ring.addresses.used):
        place = state.ring_address(address)
        file = file_of(place.region.descriptor) if place is not None else None
        if place is not None and file is not None:
            position = place.region.mmap_offset + place.offset
            if position > _LARGEST_OFFSET:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            os.pwrite(file, index, position)
