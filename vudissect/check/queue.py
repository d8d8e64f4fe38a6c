"""A ring that a case uses: configured and started by messages, filled by us, emptied by the back-end."""

import os
import select
import time
from collections.abc import Callable

from vudissect.check.memory import GUEST_ADDRESS, USER_ADDRESS, Arena
from vudissect.check.model import Behaviour
from vudissect.check.stage import DeviationError, Stage
from vudissect.conversation.descriptors import eventfd
from vudissect.rings import packed, split
from vudissect.rings.chain import Buffer, DescriptorFlag
from vudissect.rings.packed import PackedDriver, PackedRing
from vudissect.rings.split import SplitDriver, SplitRing

SIZE = 128
_PART = 1 << 18
_LOOK_EVERY = 0.005
_ONE = (1).to_bytes(8, "little")

Check = Callable[[int], str]
"""Looks at a request that is done, given how many bytes were written: what is wrong with it, "" if nothing."""


class Queue:
    """One ring with the driver's side of it."""

    def __init__(
        self, stage: Stage, arena: Arena, index: int, session: int = 1, *, size: int = SIZE, is_packed: bool = False
    ) -> None:
        self.index = index
        self.size = size
        self._session = session
        self._stage = stage
        self._arena = arena
        self._is_packed = is_packed
        self._offset = arena.ring_at()
        self._kick = self._call = 1
        self._pending: dict[int, Check] = {}
        self.driver: SplitDriver | PackedDriver
        self.clear()

    def clear(self) -> None:
        """Begin again, with an empty ring in the same place."""
        self._pending.clear()
        parts = (packed if self._is_packed else split).parts(self.size)
        views = []
        for number, length in enumerate(parts):
            start = self._offset + number * _PART
            self._arena.contents[start : start + length] = bytes(length)
            views.append(self._arena.contents[start : start + length])
        ring = PackedRing(self.size, *views) if self._is_packed else SplitRing(self.size, *views)
        self.driver = PackedDriver(ring) if isinstance(ring, PackedRing) else SplitDriver(ring)

    @property
    def kick_name(self) -> str:
        """The kick descriptor, as in the talk."""
        return f"kick{self.index}s{self._session}v{self._kick}"

    @property
    def call_name(self) -> str:
        """The call descriptor, as in the talk."""
        return f"call{self.index}s{self._session}v{self._call}"

    def replace(self, which: str) -> None:
        """Use another `kick` or `call` descriptor from now on; it has yet to be passed."""
        if which == "kick":
            self._kick += 1
        else:
            self._call += 1

    @property
    def addresses(self) -> str:
        """The parts of the ring, as in the talk."""
        desc, avail, used = (USER_ADDRESS + self._offset + number * _PART for number in range(3))
        return f"desc={desc:#x} avail={avail:#x} used={used:#x}"

    @property
    def log_address(self) -> int:
        """Where writes to the used ring are logged: its guest address."""
        return GUEST_ADDRESS + self._offset + 2 * _PART

    def configuration(self, base: int | None = None) -> list[str]:
        """The messages that say where it is, and where it begins."""
        if base is None:
            base = 0x8000_8000 if self._is_packed else 0
        return [
            f"F>B SET_VRING_NUM ring {self.index} num={self.size}",
            f"F>B SET_VRING_BASE index={self.index} num={base}",
            f"F>B SET_VRING_ADDR ring {self.index} {self.addresses}",
        ]

    def descriptors(self) -> list[str]:
        """The messages that bring its descriptors; the last one starts it."""
        return [
            f"F>B SET_VRING_CALL ring {self.index} evt#{self.call_name}",
            f"F>B SET_VRING_KICK ring {self.index} evt#{self.kick_name}",
        ]

    def submit(self, buffers: list[Buffer], check: Check) -> None:
        """Put a request into the ring; the back-end does not learn of it yet."""
        self._pending[self.driver.offer(buffers)] = check

    def kick(self) -> None:
        """Write to the kick descriptor."""
        os.write(self._stage.objects.give(eventfd(self.kick_name)), _ONE)

    @property
    def untouched(self) -> bool:
        """Whether nothing that was submitted has been done."""
        done = self.driver.collect()
        for used in done:
            self._pending.pop(used.id, None)
        return not done

    def wait(self, *, signalled: bool = True) -> None:
        """Wait until all requests are done and, unless told otherwise, signalled; `DeviationError`."""
        call = self._stage.objects.give(eventfd(self.call_name)) if signalled else -1
        deadline = self._stage.deadline
        heard = False
        while True:
            self._collect()
            if not self._pending and (heard or not signalled):
                return
            left = deadline - time.monotonic()
            if left <= 0:
                break
            until = time.monotonic() + min(left, _LOOK_EVERY if not heard else left)
            main = self._stage.links[1].socket.fileno()
            ready = self._stage.clock.poll([call] if signalled else [], min(until, deadline))
            if call in ready:
                heard = True
                os.read(call, 8)
            elif self._stage.clock.poll([main], 0, select.POLLHUP) and self._pending:
                raise DeviationError(Behaviour.CLOSED, "the back-end closed the connection instead of doing a request")
        if self._pending:
            count = len(self._pending)
            what = "a request is" if count == 1 else f"{count} requests are"
            raise DeviationError(Behaviour.FAILED, f"{what} not done within {self._stage.timeout:g} s")
        raise DeviationError(Behaviour.FAILED, "the requests are done, but the call descriptor was not signalled")

    def break_it(self, how: str) -> None:
        """Write what no driver may write into a split ring."""
        assert isinstance(self.driver, SplitDriver)  # negotiated without RING_PACKED
        ring, buffer = self.driver.ring, self._arena.buffer(16)
        if how == "avail index beyond the ring":
            ring.avail_idx = self.driver.base + self.size + 1
            return
        if how == "a chain without an end":
            ring.set_descriptor(0, buffer, DescriptorFlag.NEXT, 1)
            ring.set_descriptor(1, buffer, DescriptorFlag.NEXT, 0)
        elif how == "a buffer outside of memory":
            ring.set_descriptor(0, Buffer(0xFFFF_FFFF_0000, 16))
        self.driver.offer_raw(0)

    def _collect(self) -> None:
        for used in self.driver.collect():
            check = self._pending.pop(used.id, None)
            if check is None:
                raise DeviationError(Behaviour.FAILED, f"the used ring has request {used.id}, which was not submitted")
            if problem := check(used.length):
                raise DeviationError(Behaviour.FAILED, problem)
