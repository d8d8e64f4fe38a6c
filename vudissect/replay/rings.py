"""Empty rings in the memory that is given to a back-end: it finds virtqueues there, not what happens to be there.

Source: virtio specification, "Split Virtqueues". A packed ring of zeros is an empty one already, whatever its wrap
counters, and so is the flag word of a split ring.
"""

import errno
import os
from collections.abc import Callable
from struct import Struct

from vudissect.protocol.features import F_RING_PACKED
from vudissect.session.rings import Ring
from vudissect.session.state import State

_FLAGS_AND_INDEX = Struct("<HH")
# In a file.
_LARGEST_OFFSET = (1 << 63) - 1 - _FLAGS_AND_INDEX.size


def write_base(ring: Ring, state: State, file_of: Callable[[str], int | None]) -> None:
    """Write the base of a ring, as far as both are known, into its indices; `file_of` finds the memory of a region.

    Addresses that only an IOMMU could resolve are left alone; `OSError` if the memory cannot be written.
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
