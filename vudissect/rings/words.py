"""16-bit words of a ring that the other side may be looking at: each is written at once.

`struct` does not do that: it clears a place before it writes there, and a peer that polls sees an index of 0.
"""

import sys

_SWAPS = sys.byteorder == "big"


def store(memory: memoryview, at: int, value: int) -> None:
    """Write a little-endian word at an even offset."""
    if _SWAPS:
        value = value >> 8 | (value & 0xFF) << 8
    memory[at : at + 2].cast("H")[0] = value
