"""Names for descriptors: the same open object has the same name throughout a capture."""

from collections import deque
from typing import NamedTuple

from vudissect.host.descriptor import Descriptor, DescriptorKind

PREFIXES = {
    DescriptorKind.MEMFD: "mem",
    DescriptorKind.FILE: "mem",
    DescriptorKind.EVENTFD: "evt",
    DescriptorKind.SOCKET: "sock",
    DescriptorKind.PIPE: "pipe",
    DescriptorKind.USERFAULTFD: "uffd",
    DescriptorKind.PIDFD: "pidfd",
    DescriptorKind.DMABUF: "dmabuf",
    DescriptorKind.DEVICE: "dev",
}
"""What descriptors are called by kind; others are `fd`."""

# Enough for any real session; a flood of new descriptors must not fill the memory.
_MOST_KNOWN = 65536


class NamedDescriptor(NamedTuple):
    """A descriptor with its name in the capture, such as `evt#3`.

    `first` is the frame in which the same open object was first seen.
    """

    name: str
    first: int
    descriptor: Descriptor


class DescriptorNames:
    """Assigns `mem#1`, `evt#1`, `evt#2`, … in the order in which objects appear."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int]] = {}
        # In the order in which they were seen: finding the first key of a dictionary is slow once many were deleted.
        self._identities: deque[str] = deque()
        self._counts: dict[str, int] = {}

    def name(self, descriptor: Descriptor, frame: int) -> NamedDescriptor:
        """The name of this open object; a new one if it was not seen before or cannot be identified."""
        known = self._known.get(descriptor.identity) if descriptor.identity else None
        if known is None:
            known = (self._next(PREFIXES.get(descriptor.kind, "fd")), frame)
            if descriptor.identity:
                self._remember(descriptor.identity, known)
        return NamedDescriptor(*known, descriptor)

    def _next(self, prefix: str) -> str:
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}#{self._counts[prefix]}"

    def _remember(self, identity: str, known: tuple[str, int]) -> None:
        if len(self._known) >= _MOST_KNOWN:
            del self._known[self._identities.popleft()]
        self._known[identity] = known
        self._identities.append(identity)
