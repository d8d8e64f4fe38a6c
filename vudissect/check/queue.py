"""A ring that a case uses: configured and started by messages, filled by us, emptied by the back-end."""

import os
import select
import time
from collections.abc import Callable

from vudissect.check.breakages import BREAKAGES, PACKED_BREAKAGES
from vudissect.check.memory import GUEST_ADDRESS, Arena
from vudissect.check.model import Behaviour
from vudissect.check.stage import DeviationError, Stage
from vudissect.conversation.descriptors import eventfd
from vudissect.rings import packed, split
from vudissect.rings.chain import Buffer, packed_table, split_table
from vudissect.rings.packed import PackedDevice, PackedDriver, PackedRing
from vudissect.rings.split import SplitDevice, SplitDriver, SplitRing

SIZE = 128
_LOOK_EVERY = 0.005
_ONE = (1).to_bytes(8, "little")
_BEGIN_PACKED = 0x8000_8000
_FULL = 0xFFFF_FFFF_FFFF_FFFE

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
        self._parts = (packed if is_packed else split).parts(size)
        self._starts = [arena.ring_at(length) for length in self._parts]
        self._kick = self._call = 1
        self._kicked_as = ""
        self._pending: dict[int, Check] = {}
        self.answers: list[Buffer] = []
        """Where the last request has its answers."""
        self.driver: SplitDriver | PackedDriver
        self.clear()

    def clear(self, base: int = 0) -> None:
        """Begin again, with an empty ring in the same place; that of a split ring may be at a `base`."""
        self._base = _BEGIN_PACKED if self._is_packed else base
        self._pending.clear()
        views = []
        for start, length in zip(self._starts, self._parts, strict=True):
            self._arena.contents[start : start + length] = bytes(length)
            views.append(self._arena.contents[start : start + length])
        ring = PackedRing(self.size, *views) if self._is_packed else SplitRing(self.size, *views)
        self.driver = PackedDriver(ring) if isinstance(ring, PackedRing) else SplitDriver(ring, base)

    @property
    def kick_name(self) -> str:
        """The kick descriptor, as in the talk."""
        return self._kicked_as or f"kick{self.index}s{self._session}v{self._kick}"

    @property
    def call_name(self) -> str:
        """The call descriptor, as in the talk."""
        return f"call{self.index}s{self._session}v{self._call}"

    @property
    def err_name(self) -> str:
        """The err descriptor, as in the talk."""
        return f"err{self.index}s{self._session}"

    def share_kick(self, other: "Queue") -> None:
        """Be kicked by the descriptor of another ring."""
        self._kicked_as = other.kick_name

    def replace(self, which: str) -> None:
        """Use another `kick` or `call` descriptor from now on; it has yet to be passed."""
        if which == "kick":
            self._kick += 1
        else:
            self._call += 1

    @property
    def addresses(self) -> str:
        """The parts of the ring, as in the talk."""
        arena = self._arena
        first = arena.user_address if arena.ring_address is None else arena.ring_address
        desc, avail, used = (first + start for start in self._starts)
        return f"desc={desc:#x} avail={avail:#x} used={used:#x}"

    @property
    def log_address(self) -> int:
        """Where used requests are written, as a guest address."""
        return GUEST_ADDRESS + self._starts[0 if self._is_packed else 2]

    def configuration(self, base: int | None = None) -> list[str]:
        """The messages that say where it is, and where it begins."""
        return [
            f"F>B SET_VRING_NUM ring {self.index} num={self.size}",
            f"F>B SET_VRING_BASE index={self.index} num={self._base if base is None else base}",
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
        self.answers = [buffer for buffer in buffers if buffer.writable]
        self._pending[self.driver.offer(buffers)] = check

    def submit_indirect(self, buffers: list[Buffer], check: Check) -> None:
        """The same with the buffers in an indirect table."""
        table = (packed_table if self._is_packed else split_table)(buffers)
        self._pending[self.driver.offer_indirect(self._arena.buffer(table))] = check

    @property
    def submitted(self) -> list[int]:
        """The ids of the requests that are not done, in order."""
        return list(self._pending)

    @property
    def device(self) -> SplitDevice | PackedDevice:
        """The other side of the ring, to write what a back-end of the past has left."""
        ring = self.driver.ring
        return PackedDevice(ring) if isinstance(ring, PackedRing) else SplitDevice(ring)

    def go_on(self) -> None:
        """The ring will be started from where the driver has seen used requests."""
        self._base = self._both(self.driver.seen)

    def _both(self, place: int) -> int:
        return place | place << 16 if self._is_packed else place

    def was_done(self, number: int, place: int) -> None:
        """A back-end of the past has given this request back; the ring will be started from there."""
        self._pending[number] = lambda _: ""
        self._base = self._both(place)

    @property
    def room(self) -> int:
        """How many descriptors are free."""
        return self.driver.room

    def kick(self) -> None:
        """Write to the kick descriptor."""
        os.write(self._stage.objects.give(eventfd(self.kick_name)), _ONE)

    @property
    def signalled(self) -> bool:
        """Whether the call descriptor was written to since it was last read."""
        call = self._stage.objects.give(eventfd(self.call_name))
        return bool(self._stage.clock.poll([call], 0))

    def fill_call(self) -> None:
        """Leave no room in the counter of the call descriptor: the next to write to it has to wait."""
        os.write(self._stage.objects.give(eventfd(self.call_name)), _FULL.to_bytes(8, "little"))

    @property
    def untouched(self) -> bool:
        """Whether nothing that was submitted has been done."""
        done = self.driver.collect()
        for used in done:
            self._pending.pop(used.id, None)
        return not done

    def collect(self) -> int:
        """Look at what is done by now; how many requests are not. `DeviationError`."""
        self._collect()
        return len(self._pending)

    def wait(self, *, signalled: bool = True) -> None:
        """Wait until all requests are done and, unless told otherwise, signalled; `DeviationError`."""
        call = self._stage.objects.give(eventfd(self.call_name)) if signalled else -1
        deadline = self._stage.deadline
        heard = False
        while True:
            self._stage.answer_misses()
            self._collect()
            if not self._pending and (heard or not signalled):
                return
            left = deadline - time.monotonic()
            if left <= 0:
                break
            # Not longer: the back-end may ask something on another channel before it goes on.
            until = time.monotonic() + min(left, _LOOK_EVERY)
            main = self._stage.links[1].socket.fileno()
            ready = self._stage.clock.poll([call] if signalled else [], until)
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

    def wait_for_one(self) -> None:
        """Wait until one of the requests is done; `DeviationError`."""
        count, deadline = len(self._pending), self._stage.deadline
        while len(self._pending) == count:
            if time.monotonic() >= deadline:
                raise DeviationError(Behaviour.FAILED, f"no request is done within {self._stage.timeout:g} s")
            self._stage.clock.sleep(_LOOK_EVERY)
            self._stage.answer_misses()
            self._collect()

    def break_it(self, how: str) -> None:
        """Write what no driver may write: one of `BREAKAGES`."""
        if isinstance(self.driver, SplitDriver):
            BREAKAGES[how](self.driver, self._arena)
        else:
            PACKED_BREAKAGES[how](self.driver, self._arena)

    def _collect(self) -> None:
        for used in self.driver.collect():
            check = self._pending.pop(used.id, None)
            if check is None:
                raise DeviationError(Behaviour.FAILED, f"the used ring has request {used.id}, which was not submitted")
            if problem := check(used.length):
                raise DeviationError(Behaviour.FAILED, problem)
