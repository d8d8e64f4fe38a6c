"""A ring of the reference back-end, with a driver in the same process."""

from typing import NamedTuple

from vudissect.check.reference.control import Control
from vudissect.check.reference.dirty_log import DirtyLog
from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.blk import Disk
from vudissect.check.reference.vring import Vring
from vudissect.rings import split
from vudissect.rings.chain import Buffer, Chain
from vudissect.rings.memory import GuestMemory, Region
from vudissect.rings.split import SplitDriver, SplitRing

_USER, _GUEST, _SIZE = 0x7F0000000000, 0x40000000, 4
_PARTS = (_USER, _USER + 0x1000, _USER + 0x2000)
_BUFFER = Buffer(_GUEST + 0x8000, 16)


class Busy(Disk):
    """Its driver makes another request whenever one is done, and never stops to do so."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.driver: SplitDriver

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        self.requests += 1
        self.driver.collect()
        self.driver.offer([_BUFFER])
        return 0


class Shared(NamedTuple):
    memory: GuestMemory
    model: Busy
    ring: Vring


def a_ring_that_never_empties() -> Shared:
    memory, model = GuestMemory([Region(_GUEST, _USER, memoryview(bytearray(0x10000)))]), Busy()
    faults = Faults()
    ring = Vring(0, model, faults, DirtyLog(faults), Control())
    ring.size, ring.addresses, ring.enabled = _SIZE, _PARTS, True
    ring.start(memory)
    views = [memory.at_user(place, size) for place, size in zip(_PARTS, split.parts(_SIZE), strict=True)]
    model.driver = SplitDriver(SplitRing(_SIZE, *views))
    model.driver.offer([_BUFFER])
    return Shared(memory, model, ring)


def test_a_driver_that_never_stops_does_not_keep_the_device_from_everything_else() -> None:
    here = a_ring_that_never_empties()

    assert here.ring.run(here.memory) == _SIZE
    assert here.ring.has_more
    assert here.model.requests == _SIZE


def test_a_ring_that_is_stopped_has_no_more() -> None:
    here = a_ring_that_never_empties()
    here.ring.run(here.memory)
    here.ring.stop()

    assert here.ring.run(here.memory) == 0
    assert not here.ring.has_more
