"""The sizes of the parts of a ring, from the virtio specification."""

from vudissect.protocol.features import F_RING_PACKED
from vudissect.session.rings import Addresses
from vudissect.session.state import State

MOST_ENTRIES = 32768

# The bytes before the entries, and per entry. The avail and used parts of a packed ring are event suppression
# structures.
_SPLIT = {"desc": (0, 16), "avail": (4, 2), "used": (4, 8)}
_PACKED = {"desc": (0, 16), "avail": (4, 0), "used": (4, 0)}


def parts_of(state: State, addresses: Addresses, entries: int) -> dict[str, tuple[int, int]]:
    """Where the parts of a ring begin, and how many bytes each has at least with this many entries."""
    sizes = _PACKED if state.features.has(F_RING_PACKED) else _SPLIT
    starts = {"desc": addresses.desc, "avail": addresses.avail, "used": addresses.used}
    return {part: (start, sizes[part][0] + sizes[part][1] * entries) for part, start in starts.items()}
