"""What a ring says to somebody who only looks: a driver and a device share memory, and an observer reads it."""

from collections.abc import Callable

import pytest

from tests.rings.test_rings import _GUEST, _READ, _TABLE, _USER, _WRITE, Shared, a_packed_ring, a_split_ring
from vudissect.rings.chain import Buffer, DescriptorFlag, packed_table, split_table
from vudissect.rings.look import Parts, Request, has_moved, look, oldest
from vudissect.rings.memory import RingError
from vudissect.rings.packed import PackedRing
from vudissect.rings.split import SplitDriver, SplitRing

PLACES = (_USER, _USER + 0x2000, _USER + 0x4000)


def split_ring(shared: Shared) -> SplitRing:
    ring = shared.driver.ring
    assert isinstance(ring, SplitRing)
    return ring


def packed_ring(shared: Shared) -> PackedRing:
    ring = shared.driver.ring
    assert isinstance(ring, PackedRing)
    return ring


def offer_head(shared: Shared, head: int) -> None:
    driver = shared.driver
    assert isinstance(driver, SplitDriver)
    driver.offer_raw(head)


def parts_of(shared: Shared, *, packed: bool = False, event_index: bool = False) -> Parts:
    return Parts(shared.driver.ring.size, *PLACES, packed, event_index)


def reader(shared: Shared) -> Callable[[int, int], bytes]:
    return lambda address, length: bytes(shared.memory.at_user(address, length))


def guest_reader(shared: Shared) -> Callable[[int, int], bytes]:
    return lambda address, length: bytes(shared.memory.at_guest(address, length))


def oldest_in(shared: Shared, *, packed: bool = False) -> Request | None:
    parts, read = parts_of(shared, packed=packed), reader(shared)
    return oldest(parts, look(parts, read), read, guest_reader(shared))


def write_id(shared: Shared, index: int, number: int) -> None:
    """Change the buffer id of a descriptor."""
    ring = packed_ring(shared)
    address, length, _, flags = ring.entry(index)
    ring.write(index, address, length, number, flags)


def take_all(shared: Shared) -> None:
    while (chain := shared.device.take(shared.memory)) is not None:
        shared.device.complete(chain, 0)


class TestSplit:
    def test_an_empty_ring(self) -> None:
        shared = a_split_ring()

        seen = look(parts_of(shared), reader(shared))

        assert (seen.avail, seen.used, seen.pending) == (0, 0, 0)

    def test_requests_are_pending_until_they_are_completed(self) -> None:
        shared = a_split_ring()
        shared.driver.offer([_READ])
        shared.driver.offer([_READ])
        chain = shared.device.take(shared.memory)
        assert chain is not None
        shared.device.complete(chain, 0)

        seen = look(parts_of(shared), reader(shared))

        assert (seen.avail, seen.used, seen.pending) == (2, 1, 1)

    def test_the_indices_go_round(self) -> None:
        shared = a_split_ring()
        ring = split_ring(shared)
        ring.avail_idx, ring.used_idx = 1, 0xFFFF

        assert look(parts_of(shared), reader(shared)).pending == 2

    def test_an_index_that_jumped(self) -> None:
        shared = a_split_ring()
        split_ring(shared).avail_idx = 400

        assert look(parts_of(shared), reader(shared)).pending == 400

    def test_a_ring_in_no_memory(self) -> None:
        shared = a_split_ring()

        with pytest.raises(RingError, match="in no memory region"):
            look(parts_of(shared)._replace(device=0x1000), reader(shared))

    def test_a_big_endian_ring(self) -> None:
        shared = a_split_ring()
        split_ring(shared).avail[2:4] = b"\x00\x03"

        assert look(parts_of(shared)._replace(big_endian=True), reader(shared)).avail == 3

    def test_no_notifications_are_wanted(self) -> None:
        shared = a_split_ring()
        split_ring(shared).avail[0:2] = split_ring(shared).used[0:2] = b"\x01\x00"

        seen = look(parts_of(shared), reader(shared))

        assert (seen.no_kicks, seen.no_calls) == (True, True)

    def test_with_event_indices_the_flags_mean_nothing(self) -> None:
        shared = a_split_ring()
        split_ring(shared).avail[0:2] = split_ring(shared).used[0:2] = b"\x01\x00"

        seen = look(parts_of(shared, event_index=True), reader(shared))

        assert (seen.no_kicks, seen.no_calls) == (False, False)

    @pytest.mark.parametrize(("kick_at", "no_kicks"), [(0, False), (1, False), (2, True), (0xFFFF, True)])
    def test_the_device_wants_a_kick_for_a_request(self, kick_at: int, no_kicks: bool) -> None:
        shared = a_split_ring()
        shared.driver.offer([_READ])
        shared.driver.offer([_READ])
        split_ring(shared).used[4 + 8 * 4 : 6 + 8 * 4] = kick_at.to_bytes(2, "little")

        assert look(parts_of(shared, event_index=True), reader(shared)).no_kicks is no_kicks

    def test_the_driver_wants_a_call_from_a_position_on(self) -> None:
        shared = a_split_ring()
        split_ring(shared).used_event = 7

        assert look(parts_of(shared, event_index=True), reader(shared)).call_at == 7


class TestOldest:
    def test_nothing_is_pending(self) -> None:
        shared = a_split_ring()
        shared.driver.offer([_READ])
        take_all(shared)

        assert oldest_in(shared) is None

    def test_in_order(self) -> None:
        shared = a_split_ring()
        shared.driver.offer([_READ])
        take_all(shared)
        shared.driver.collect()
        shared.driver.offer([_WRITE])
        shared.driver.offer([_READ])

        assert oldest_in(shared) == Request(1, (_WRITE,))

    def test_the_device_completes_a_later_one_first(self) -> None:
        shared = a_split_ring()
        shared.driver.offer([_WRITE])
        shared.driver.offer([_READ])
        first, second = shared.device.take(shared.memory), shared.device.take(shared.memory)
        assert first is not None
        assert second is not None
        shared.device.complete(second, 0)

        assert oldest_in(shared) == Request(0, (_WRITE,))

    def test_after_several_laps(self) -> None:
        shared = a_split_ring()
        for _ in range(11):
            shared.driver.offer([_READ])
            take_all(shared)
            shared.driver.collect()
        shared.driver.offer([_READ, _WRITE])

        assert oldest_in(shared) == Request(11, (_READ, _WRITE))

    def test_its_buffers_are_in_a_table(self) -> None:
        shared = a_split_ring()
        table = split_table([_READ, _WRITE])
        shared.memory.at_guest(_TABLE, len(table))[:] = table
        shared.driver.offer_indirect(Buffer(_TABLE, len(table)))

        assert oldest_in(shared) == Request(0, (_READ, _WRITE))

    def test_a_chain_that_never_ends(self) -> None:
        shared = a_split_ring()
        ring = split_ring(shared)
        ring.set_descriptor(0, _READ, DescriptorFlag.NEXT, 0)
        offer_head(shared, 0)

        with pytest.raises(RingError, match="never ends, from 0"):
            oldest_in(shared)

    def test_a_chain_that_leaves_the_table(self) -> None:
        shared = a_split_ring()
        split_ring(shared).set_descriptor(0, _READ, DescriptorFlag.NEXT, 77)
        offer_head(shared, 0)

        with pytest.raises(RingError, match="descriptor 77 of a table of 4"):
            oldest_in(shared)

    def test_a_table_outside_of_memory(self) -> None:
        shared = a_split_ring()
        shared.driver.offer_indirect(Buffer(_GUEST - 0x1000, 32))

        with pytest.raises(RingError, match="in no memory region"):
            oldest_in(shared)


class TestPacked:
    def seen(self, shared: Shared) -> tuple[int, int]:
        seen = look(parts_of(shared, packed=True), reader(shared))
        return seen.avail, seen.pending

    def test_an_empty_ring(self) -> None:
        assert self.seen(a_packed_ring()) == (0x8000, 0)

    def test_requests_are_pending(self) -> None:
        shared = a_packed_ring()
        shared.driver.offer([_READ])
        shared.driver.offer([_READ])

        assert self.seen(shared) == (0x8002, 2)

    def test_completed_requests_are_not(self) -> None:
        shared = a_packed_ring()
        shared.driver.offer([_READ])
        take_all(shared)

        assert self.seen(shared) == (0x8001, 0)

    def test_the_rest_of_a_completed_request_is_not(self) -> None:
        shared = a_packed_ring()
        shared.driver.offer([_READ, _WRITE, _WRITE])
        take_all(shared)

        assert self.seen(shared) == (0x8003, 0)

    def test_the_rest_of_a_completed_request_whose_id_is_only_in_its_last_descriptor(self) -> None:
        shared = a_packed_ring()
        number = shared.driver.offer([_READ, _WRITE, _WRITE])
        write_id(shared, 1, number + 1)
        take_all(shared)

        assert self.seen(shared) == (0x8003, 0)

    def test_a_request_with_the_id_of_the_one_that_was_completed_last(self) -> None:
        shared = a_packed_ring()
        number = shared.driver.offer([_READ])
        take_all(shared)
        shared.driver.collect()
        shared.driver.offer_indirect(Buffer(_TABLE, 32))
        write_id(shared, 1, number)

        assert self.seen(shared) == (0x8002, 1)

    def test_requests_that_are_completed_in_order_at_once(self) -> None:
        shared = a_packed_ring()
        for _ in range(4):
            shared.driver.offer([_READ])
        third = [shared.device.take(shared.memory) for _ in range(3)][-1]
        assert third is not None
        shared.device.complete(third, 0)
        parts = parts_of(shared, packed=True)._replace(in_order=True)

        seen = look(parts, reader(shared))

        assert (seen.avail, seen.pending) == (0, 1)

    def test_a_full_ring(self) -> None:
        shared = a_packed_ring()
        for _ in range(4):
            shared.driver.offer([_READ])

        assert self.seen(shared) == (0, 4)

    def test_after_several_laps(self) -> None:
        shared = a_packed_ring()
        for _ in range(11):
            shared.driver.offer([_READ])
            take_all(shared)
            shared.driver.collect()
        shared.driver.offer([_READ])

        assert self.seen(shared) == (0, 1)

    def test_no_notifications_are_wanted(self) -> None:
        shared = a_packed_ring()
        ring = packed_ring(shared)
        ring.driver[2:4] = ring.device[2:4] = b"\x01\x00"

        seen = look(parts_of(shared, packed=True), reader(shared))

        assert (seen.no_kicks, seen.no_calls) == (True, True)


class TestOldestInPacked:
    def test_nothing_is_pending(self) -> None:
        shared = a_packed_ring()
        assert oldest_in(shared, packed=True) is None
        shared.driver.offer([_READ])
        take_all(shared)

        assert oldest_in(shared, packed=True) is None

    def test_the_first_of_those_that_are_pending(self) -> None:
        shared = a_packed_ring()
        shared.driver.offer([_READ])
        take_all(shared)
        shared.driver.offer([_READ, _WRITE])
        shared.driver.offer([_WRITE])

        assert oldest_in(shared, packed=True) == Request(1, (_READ, _WRITE))

    def test_across_the_end_of_the_ring(self) -> None:
        shared = a_packed_ring()
        for _ in range(3):
            shared.driver.offer([_READ])
            take_all(shared)
            shared.driver.collect()
        shared.driver.offer([_READ, _WRITE])

        assert oldest_in(shared, packed=True) == Request(3, (_READ, _WRITE))

    def test_its_buffers_are_in_a_table(self) -> None:
        shared = a_packed_ring()
        table = packed_table([_READ, _WRITE])
        shared.memory.at_guest(_TABLE, len(table))[:] = table
        shared.driver.offer_indirect(Buffer(_TABLE, len(table)))

        assert oldest_in(shared, packed=True) == Request(0, (_READ, _WRITE))

    def test_a_table_of_any_size_is_read_in_part(self) -> None:
        shared = a_packed_ring()
        shared.driver.offer_indirect(Buffer(_TABLE, 0xFFFFFFF0))

        found = oldest_in(shared, packed=True)

        assert found is not None
        assert len(found.buffers) == 64


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
class TestTheOrderOfBuffers:
    """What the device may read comes before what it may write."""

    def test_a_buffer_to_read_after_one_to_write(self, *, packed: bool) -> None:
        shared = a_packed_ring() if packed else a_split_ring()
        shared.driver.offer([_READ, _WRITE, _READ])

        with pytest.raises(RingError, match="a buffer that the device may read comes after one that it may write"):
            oldest_in(shared, packed=packed)

    def test_several_of_each(self, *, packed: bool) -> None:
        shared = a_packed_ring() if packed else a_split_ring()
        shared.driver.offer([_READ, _READ, _WRITE, _WRITE])

        assert oldest_in(shared, packed=packed) == Request(0, (_READ, _READ, _WRITE, _WRITE))


def test_a_ring_in_which_a_request_is_completed_has_moved() -> None:
    shared = a_split_ring()
    offer_head(shared, 0)
    parts, read = parts_of(shared), reader(shared)
    seen = look(parts, read)
    before = has_moved(parts, seen, read)

    take_all(shared)

    assert (before, has_moved(parts, seen, read)) == (False, True)
