"""Descriptors that were received before the messages that they came with, by what they refer to."""

from typing import NamedTuple

from vudissect.host.descriptor import Descriptor
from vudissect.proxy.offered import Offered
from vudissect.proxy.rights import let_go

# The message of a descriptor comes after it, but much sooner.
_PATIENCE_NS = 1_000_000_000
# More than a message has, for as many messages as may be waiting: a front-end could pass descriptors without end.
_MOST = 1024


class _Held(NamedTuple):
    """A descriptor, and in which round it came."""

    fd: int
    slow_to_close: bool
    round: int


class DescriptorPool:
    """Holds descriptors of memory and of events until they are taken or the pool is emptied; of many, the newest.

    The devices of a VM have the same memory, so there may be several of one open object.
    """

    def __init__(self) -> None:
        self._held: dict[str, list[_Held]] = {}
        self._count = 0
        self._round = 0
        self._aged = 0

    def add(self, offered: Offered) -> None:
        """Hold a descriptor."""
        held = _Held(offered.fd, offered.slow_to_close, self._round)
        self._held.setdefault(offered.identity, []).append(held)
        self._count += 1
        if self._count > _MOST:
            oldest = self._pop(next(iter(self._held)))
            let_go(oldest.fd, slow_to_close=oldest.slow_to_close)

    def take(self, wanted: Descriptor) -> int | None:
        """A descriptor of the same open object, which the caller closes; None if there is none."""
        return self._pop(wanted.identity).fd if wanted.identity in self._held else None

    def age(self, now: int) -> None:
        """Close what nobody has taken for a second (`now` is in ns); to be called now and then."""
        if now - self._aged < _PATIENCE_NS:
            return
        self._aged = now
        self._close_before(self._round)
        self._round += 1

    def empty(self) -> None:
        """Close what nobody has taken."""
        self._close_before(self._round + 1)

    def _close_before(self, number: int) -> None:
        for identity, held in list(self._held.items()):
            # The oldest come first.
            for each in held.copy():
                if each.round < number:
                    self._pop(identity)
                    let_go(each.fd, slow_to_close=each.slow_to_close)

    def _pop(self, identity: str) -> _Held:
        held = self._held[identity]
        oldest = held.pop(0)
        if not held:
            del self._held[identity]
        self._count -= 1
        return oldest
