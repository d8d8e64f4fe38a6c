"""Positions of rings: which ones a ring could have, and which ones an idle ring has."""

from typing import Final

from vudissect.protocol.features import F_RING_PACKED
from vudissect.rings.places import WRAP
from vudissect.session.rings import Ring
from vudissect.session.state import State

_HALF: Final = 0xFFFF


def possible_positions(position: int, ring: Ring, state: State) -> str:
    """What the position of a ring must be, in words, if this one is impossible; "" if it is possible.

    Without the features of the session, it is unknown whether rings are packed, and anything is possible.
    """
    if state.features.has(F_RING_PACKED):
        return _possible_packed(position, ring.size)
    if state.features.acked is not None and position > _HALF:
        return f"at most {_HALF}, as the ring is split"
    return ""


def _possible_packed(position: int, size: int | None) -> str:
    avail, used = position & _HALF, position >> 16
    if size is not None and max(avail & ~WRAP, used & ~WRAP) >= size:
        return f"indices below {size}, the size of the packed ring"
    # DPDK leaves out the used half.
    if used and not _is_ahead(avail, used):
        return "an avail index that is at most one round ahead of the used index"
    return ""


def _is_ahead(avail: int, used: int) -> bool:
    ahead = (avail & ~WRAP) - (used & ~WRAP)
    return ahead <= 0 if (avail ^ used) & WRAP else ahead >= 0


def is_idle(position: int, recorded: int, ring: Ring, state: State) -> bool:
    """Whether this is the base that the ring was given; of a packed one the avail half, if no more was recorded."""
    if ring.base is None:
        return False
    halved = state.features.has(F_RING_PACKED) and recorded <= _HALF
    return position in ((ring.base, ring.base & _HALF) if halved else (ring.base,))
