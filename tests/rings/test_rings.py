"""A driver and a device that share memory: what one offers, the other finds."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from vudissect.rings import packed, split
from vudissect.rings.chain import Buffer, DescriptorFlag, Used, packed_table, split_table
from vudissect.rings.memory import GuestMemory, Region, RingError
from vudissect.rings.packed import PackedDevice, PackedDriver, PackedRing
from vudissect.rings.split import SplitDevice, SplitDriver, SplitRing

_USER = 0x7F0000000000
_GUEST = 0x40000000
_READ = Buffer(_GUEST + 0x8000, 16)
_WRITE = Buffer(_GUEST + 0x9000, 512, writable=True)
_TABLE = _GUEST + 0xA000


class Shared(NamedTuple):
    memory: GuestMemory
    driver: SplitDriver | PackedDriver
    device: SplitDevice | PackedDevice


def memory() -> GuestMemory:
    return GuestMemory([Region(_GUEST, _USER, memoryview(bytearray(0x10000)))])


def places(here: GuestMemory, sizes: tuple[int, int, int]) -> list[memoryview]:
    return [here.at_user(_USER + 0x2000 * number, size) for number, size in enumerate(sizes)]


def a_split_ring(size: int = 4, *, event_index: bool = False) -> Shared:
    here = memory()
    ring = SplitRing(size, *places(here, split.parts(size)))
    return Shared(here, SplitDriver(ring), SplitDevice(ring, event_index=event_index))


def a_packed_ring(size: int = 4, *, event_index: bool = False) -> Shared:
    here = memory()
    ring = PackedRing(size, *places(here, packed.parts(size)))
    return Shared(here, PackedDriver(ring), PackedDevice(ring, event_index=event_index))


BOTH = pytest.mark.parametrize("make", [a_split_ring, a_packed_ring], ids=["split", "packed"])
Make = Callable[[], Shared]


@BOTH
def test_an_empty_ring_has_nothing_to_take(make: Make) -> None:
    here = make()

    assert here.device.take(here.memory) is None


@BOTH
def test_a_device_finds_the_buffers_that_were_offered(make: Make) -> None:
    here = make()
    here.driver.offer([_READ, _WRITE])

    chain = here.device.take(here.memory)

    assert chain is not None
    assert chain.buffers == (_READ, _WRITE)


@BOTH
def test_a_request_is_taken_once(make: Make) -> None:
    here = make()
    here.driver.offer([_READ])
    here.device.take(here.memory)

    assert here.device.take(here.memory) is None


@BOTH
def test_a_driver_collects_what_is_done(make: Make) -> None:
    here = make()
    number = here.driver.offer([_READ, _WRITE])
    chain = here.device.take(here.memory)
    assert chain is not None
    here.device.complete(chain, 513)

    assert here.driver.collect() == [Used(number, 513)]
    assert here.driver.collect() == []


@BOTH
def test_a_ring_goes_round_many_times(make: Make) -> None:
    here = make()

    for turn in range(50):
        here.driver.offer([_READ, _WRITE, _WRITE])
        chain = here.device.take(here.memory)
        assert chain is not None
        here.device.complete(chain, turn)
        assert [used.length for used in here.driver.collect()] == [turn]


@BOTH
def test_requests_are_completed_out_of_order(make: Make) -> None:
    here = make()
    first, second = here.driver.offer([_READ]), here.driver.offer([_WRITE])
    chains = [here.device.take(here.memory), here.device.take(here.memory)]
    for chain in reversed(chains):
        assert chain is not None
        here.device.complete(chain, 0)

    assert [used.id for used in here.driver.collect()] == [second, first]


@BOTH
def test_a_full_ring_takes_no_more(make: Make) -> None:
    here = make()
    here.driver.offer([_READ] * 4)

    with pytest.raises(RingError, match="does not fit"):
        here.driver.offer([_READ])


@pytest.mark.parametrize(
    ("make", "table"), [(a_split_ring, split_table), (a_packed_ring, packed_table)], ids=["split", "packed"]
)
def test_an_indirect_table_is_followed(make: Make, table: Callable[[list[Buffer]], bytes]) -> None:
    here = make()
    buffers = [_READ, _WRITE, _WRITE]
    contents = table(buffers)
    here.memory.at_guest(_TABLE, len(contents))[:] = contents
    here.driver.offer_indirect(Buffer(_TABLE, len(contents)))

    chain = here.device.take(here.memory)

    assert chain is not None
    assert chain.buffers == tuple(buffers)


@BOTH
def test_a_device_goes_on_where_another_stopped(make: Make) -> None:
    here = make()
    for _ in range(3):
        here.driver.offer([_READ])
        chain = here.device.take(here.memory)
        assert chain is not None
        here.device.complete(chain, 0)
    here.driver.collect()
    here.driver.offer([_WRITE])

    another = type(here.device)(here.device.ring, here.device.base)  # type: ignore[arg-type]
    chain = another.take(here.memory)

    assert chain is not None
    assert chain.buffers == (_WRITE,)


def test_a_packed_base_has_both_wrap_counters() -> None:
    here = a_packed_ring(4)
    for _ in range(5):
        here.driver.offer([_READ])
        chain = here.device.take(here.memory)
        assert chain is not None
        here.device.complete(chain, 0)
        here.driver.collect()

    assert here.device.base == here.driver.base == 1 | 1 << 16


def test_more_requests_than_entries_are_an_error() -> None:
    here = a_split_ring(4)
    assert isinstance(here.driver, SplitDriver)
    here.driver.ring.avail_idx = 300

    with pytest.raises(RingError, match="300 requests are available in a ring of 4"):
        here.device.take(here.memory)


def test_a_chain_that_is_a_loop_is_an_error() -> None:
    here = a_split_ring(4)
    assert isinstance(here.driver, SplitDriver)
    here.driver.ring.set_descriptor(0, _READ, DescriptorFlag.NEXT, 1)
    here.driver.ring.set_descriptor(1, _READ, DescriptorFlag.NEXT, 0)
    here.driver.offer_raw(0)

    with pytest.raises(RingError, match="never ends"):
        here.device.take(here.memory)


def test_the_device_finds_nothing_before_the_whole_of_a_packed_chain_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The device may look at any time."""
    here = a_packed_ring(4)
    assert isinstance(here.driver, PackedDriver)
    found: list[object] = []
    write = PackedRing.write

    def look(ring: PackedRing, *entry: int) -> None:
        found.append(here.device.take(here.memory))
        write(ring, *entry)

    monkeypatch.setattr(PackedRing, "write", look)

    here.driver.offer_raw(*[(_READ, DescriptorFlag.NEXT)] * 4)

    assert found == [None] * 4
    with pytest.raises(RingError, match="never ends"):
        here.device.take(here.memory)


def test_a_buffer_outside_of_memory_is_an_error() -> None:
    here = a_split_ring()
    here.driver.offer([Buffer(0xFFFF_FFFF_0000, 16)])
    chain = here.device.take(here.memory)
    assert chain is not None

    with pytest.raises(RingError, match="0xffffffff0000 are in no memory region"):
        chain.read(here.memory)


def test_an_answer_fills_the_buffers_in_order() -> None:
    here = a_split_ring()
    here.driver.offer([_READ, Buffer(_GUEST + 0x9000, 2, writable=True), Buffer(_GUEST + 0x9800, 4, writable=True)])
    chain = here.device.take(here.memory)
    assert chain is not None

    assert chain.write(here.memory, b"abcd") == 4
    assert bytes(here.memory.at_guest(_GUEST + 0x9000, 2)) == b"ab"
    assert bytes(here.memory.at_guest(_GUEST + 0x9800, 2)) == b"cd"


def test_with_the_event_index_a_driver_is_called_where_it_asked_for_it() -> None:
    here = a_split_ring(event_index=True)
    assert isinstance(here.driver, SplitDriver)
    here.driver.ring.used_event = 1
    calls = []
    for _ in range(3):
        here.driver.offer([_READ])
        chain = here.device.take(here.memory)
        assert chain is not None
        calls.append(here.device.complete(chain, 0))

    assert calls == [False, True, False]


def test_with_the_event_index_a_device_asks_for_a_kick_for_what_comes_next() -> None:
    here = a_split_ring(event_index=True)
    assert isinstance(here.device, SplitDevice)
    here.driver.offer([_READ])
    here.driver.offer([_READ])

    assert here.device.take(here.memory)
    assert here.device.take(here.memory)
    assert here.device.take(here.memory) is None
    assert here.device.ring.avail_event == 2
