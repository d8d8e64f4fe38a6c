"""Positions of rings: a 16-bit index, or for each half of a packed position a 15-bit index and its wrap bit."""

from vudissect.protocol.features import F_RING_PACKED
from vudissect.session.state import State

HALF = 0xFFFF
WRAP = 0x8000


def is_packed(state: State) -> bool:
    """Whether rings are known to be packed."""
    return state.features.has(F_RING_PACKED)


def halves(position: int) -> tuple[int, int]:
    """The available and the used entry that a packed position names."""
    return position & HALF, position >> 16


def position_text(state: State, position: int) -> str:
    """`17`, or `avail 17 wrap 1 used 16 wrap 1`."""
    if not is_packed(state):
        return str(position)
    avail, used = (f"{half & ~WRAP} wrap {half >> 15}" for half in halves(position))
    return f"avail {avail} used {used}"


def is_beginning(state: State, position: int) -> bool:
    """Whether this is where the ring of a newly started driver begins."""
    return position == 0 or (is_packed(state) and not any(half & ~WRAP for half in halves(position)))
