"""The rings of a legacy driver on a big-endian guest, in a real memfd, seen by a real vuproxy."""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.harness import eventually
from tests.proxy.test_hostile_rings import SIZE, FrontEnd, memfd
from tests.proxy.test_program import converse, quiet
from tests.proxy.test_rings import AVAIL, DESC, USED
from vudissect.capture.observation import Observation
from vudissect.rings.blk import Kind

ENTRIES = 8
HEADER, DATA, STATUS = 0x8000, 0xA000, 0x9000
NEXT, WRITE = 1, 2


class Guest:
    """The driver and the device of one ring, both of which write big-endian numbers."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, SIZE)
        self._offered = self._completed = 0

    def _write(self, at: int, layout: str, *values: int) -> None:
        struct.pack_into(f">{layout}", self._memory, at, *values)

    def read_from(self, sector: int) -> None:
        """The driver offers a request for 8 sectors: header, data, status."""
        self._write(HEADER, "IIQ", Kind.IN, 0, sector)
        self._write(DESC, "QIHH", HEADER, 16, NEXT, 1)
        self._write(DESC + 16, "QIHH", DATA, 4096, NEXT | WRITE, 2)
        self._write(DESC + 32, "QIHH", STATUS, 1, WRITE, 0)
        self._write(AVAIL + 4 + 2 * (self._offered % ENTRIES), "H", 0)
        self._offered += 1
        self._write(AVAIL + 2, "H", self._offered)

    def complete(self) -> None:
        """The device is done with a request."""
        self._write(USED + 4 + 8 * (self._completed % ENTRIES), "II", 0, 4097)
        self._completed += 1
        self._write(USED + 2, "H", self._completed)


@pytest.fixture
def front_end(tmp_path: Path) -> Iterator[FrontEnd]:
    with quiet(tmp_path, "--rings=requests", "--rings-interval=0.05", "--device=blk") as program:
        front_end = FrontEnd(program, 1)
        yield front_end
        front_end.front.close()
        assert front_end.back.at_end()
        assert program.end()[0] == 0


def last(front_end: FrontEnd, used: int) -> Observation:
    """What was last seen of the ring, once the device is there."""
    found: list[Observation] = []

    def is_there() -> bool:
        converse(front_end.front, front_end.back)
        found[:] = front_end.observed()
        return found[-1].used == used

    eventually(is_there)
    return found[-1]


def test_requests_are_read_in_the_order_of_the_guest(front_end: FrontEnd) -> None:
    fd = memfd()
    guest = Guest(fd)
    for sector in range(300):
        guest.read_from(sector)
        guest.complete()
    guest.read_from(2048)
    front_end.say("SET_VRING_ENDIAN", "II", 0, 1)
    front_end.set_up(fd, num=ENTRIES)

    seen = last(front_end, used=300)

    assert (seen.avail, seen.used, seen.pending) == (301, 300, 1)
    assert seen.request == "request 300: read sector 2048, 8 sectors"
    assert seen.fault == ""


def test_a_ring_in_the_other_order_is_not_understood(front_end: FrontEnd) -> None:
    fd = memfd()
    guest = Guest(fd)
    guest.read_from(2048)
    front_end.set_up(fd, num=ENTRIES)

    assert last(front_end, used=0).fault == "256 requests are pending in a ring of 8"
