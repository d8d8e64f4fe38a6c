"""A descriptor that is passed on to the observer of rings."""

from typing import NamedTuple

from vudissect.host.descriptor import Descriptor, DescriptorKind

_OF_USE = frozenset(
    {
        DescriptorKind.MEMFD,
        DescriptorKind.FILE,
        DescriptorKind.DEVICE,
        DescriptorKind.DMABUF,
        DescriptorKind.EVENTFD,
    }
)


class Offered(NamedTuple):
    """An open descriptor, the identity of what it refers to, and whether closing it may be slow."""

    fd: int
    identity: str
    slow_to_close: bool


def is_of_use(descriptor: Descriptor) -> bool:
    """Whether it may be of memory or of events, and can be told from others."""
    return bool(descriptor.identity) and descriptor.kind in _OF_USE
