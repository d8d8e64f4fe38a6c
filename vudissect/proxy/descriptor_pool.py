"""Descriptors that were received before the messages that they came with, by what they refer to."""

from vudissect.host.closing import close, close_soon
from vudissect.host.descriptor import DescriptorKind
from vudissect.host.inspect import Inspected, examine

_KEPT = frozenset(
    {
        DescriptorKind.MEMFD,
        DescriptorKind.FILE,
        DescriptorKind.DEVICE,
        DescriptorKind.DMABUF,
        DescriptorKind.EVENTFD,
    }
)
# The message of a descriptor comes after it, but much sooner.
_PATIENCE_NS = 1_000_000_000
# More than a message has, for as many messages as may be waiting: a front-end could pass descriptors without end.
_MOST = 1024


class DescriptorPool:
    """Holds descriptors of memory and of events until they are taken or the pool is emptied; of many, the newest."""

    def __init__(self) -> None:
        self._fds: dict[str, tuple[int, Inspected]] = {}
        self._older: set[str] = set()
        self._aged = 0

    def add(self, fd: int) -> None:
        """Hold a descriptor, or close it if nothing will ask for it."""
        inspected = examine(fd)
        descriptor = inspected.descriptor
        if descriptor.kind not in _KEPT or not descriptor.identity or descriptor.identity in self._fds:
            _let_go(fd, inspected)
            return
        self._fds[descriptor.identity] = fd, inspected
        if len(self._fds) > _MOST:
            _let_go(*self._fds.pop(next(iter(self._fds))))

    def take(self, identity: str) -> int | None:
        """A descriptor of the open object with this identity, which the caller closes; None if there is none."""
        fd, _ = self._fds.pop(identity, (None, None))
        return fd

    def age(self, now: int) -> None:
        """Close what nobody has taken for a second (`now` is in ns); to be called now and then."""
        if now - self._aged < _PATIENCE_NS:
            return
        self._aged = now
        for identity in self._older & self._fds.keys():
            _let_go(*self._fds.pop(identity))
        self._older = set(self._fds)

    def empty(self) -> None:
        """Close what nobody has taken."""
        for held in self._fds.values():
            _let_go(*held)
        self._fds.clear()


def _let_go(fd: int, inspected: Inspected) -> None:
    (close_soon if inspected.slow_to_close else close)(fd)
