"""Places in a packed ring: 15 bits of an index, and the wrap counter of its lap.

Source: virtio specification, Packed Virtqueues, Driver and Device Ring Wrap Counters; and for messages
docs/interop/vhost-user.rst, vring state: each half of a position is such a place.
"""

from typing import Final

WRAP: Final = 1 << 15
"""The bit of the wrap counter."""


def place_text(place: int) -> str:
    """`17 wrap 1`."""
    return f"{place & ~WRAP} wrap {place >> 15}"
