"""What messages are about, by purpose: of two with the same subject, the later one replaces the earlier one.

A message whose purpose is not here is about the ring in it, or about the connection as a whole.
"""

from typing import Final, NamedTuple

from vudissect.protocol.purpose import Purpose


class Subject(NamedTuple):
    """The fields of a request that say what it is about, and the messages that it undoes if they are about the same."""

    fields: tuple[str, ...] = ()
    undoes: Purpose | None = None


_REGION = ("guest_addr", "size", "user_addr")
_MAPPED = ("shmid", "shm_offset", "len")
SUBJECTS: Final = {
    # An empty table after others means something else than those.
    Purpose.REPLACE_MEMORY: Subject(("nregions",)),
    # Whether a ring was ever enabled matters as well as whether it is.
    Purpose.ENABLE_RING: Subject(("index", "num")),
    Purpose.ADD_MEMORY: Subject(_REGION),
    Purpose.REMOVE_MEMORY: Subject(_REGION, Purpose.ADD_MEMORY),
    Purpose.ADD_OBJECT: Subject(("uuid",)),
    Purpose.REMOVE_OBJECT: Subject(("uuid",), Purpose.ADD_OBJECT),
    Purpose.MAP_SHARED_MEMORY: Subject(_MAPPED),
    Purpose.UNMAP_SHARED_MEMORY: Subject(_MAPPED, Purpose.MAP_SHARED_MEMORY),
    Purpose.UPDATE_IOTLB: Subject(("iova",)),
    Purpose.READ_CONFIG: Subject(("offset", "size")),
}
