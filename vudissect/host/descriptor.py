"""What a descriptor is, as a value that can be recorded.

`inspect` finds it out; docs/capture-format.md has the facts about Linux.
"""

from enum import IntEnum
from typing import Final, NamedTuple

NOT_EXAMINED: Final = 1 << 31
"""In the flags of a descriptor: only its kind, identity and name are known, not size, page size, seals and flags."""


class DescriptorKind(IntEnum):
    """The kind of open file that a descriptor refers to; the numbers are in captures and never change."""

    UNKNOWN = 0
    MEMFD = 1
    FILE = 2
    EVENTFD = 3
    SOCKET = 4
    PIPE = 5
    USERFAULTFD = 6
    PIDFD = 7
    DMABUF = 8
    DEVICE = 9
    ANON = 10
    DIRECTORY = 11

    @property
    def label(self) -> str:
        """The name in transcripts and JSON, lower case."""
        return self.name.lower()


class Descriptor(NamedTuple):
    """One descriptor as it was when it was passed.

    `identity` identifies an open object: equal and non-empty means the same object. `size` and `page_size` are in
    bytes (0: does not apply); `seals` are F_SEAL_* bits (-1: cannot be sealed); `flags` are the O_* bits of
    F_GETFL; `name` is the kernel's name for it (`/memfd:pc.ram (deleted)`).
    """

    kind: DescriptorKind
    identity: str = ""
    size: int = 0
    page_size: int = 0
    seals: int = -1
    flags: int = 0
    name: str = ""

    @property
    def is_examined(self) -> bool:
        """Whether size, page size, seals and flags are known: logs do not have them."""
        return not self.flags & NOT_EXAMINED
