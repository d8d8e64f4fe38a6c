"""In-flight memory of a split ring."""

from vudissect.rings.inflight import InflightRegion, Tracked, region_size


def region(size: int = 8) -> tuple[InflightRegion, memoryview]:
    contents = memoryview(bytearray(region_size(size)))
    return InflightRegion(contents, size), contents


def test_a_ring_takes_a_multiple_of_64_bytes() -> None:
    assert region_size(128) == 2112


def test_a_region_that_is_used_for_the_first_time_gets_version_and_size() -> None:
    made, contents = region()

    made.begin()

    assert contents[8:12].tobytes() == bytes([1, 0, 8, 0])


def test_requests_are_found_in_the_order_in_which_they_were_taken() -> None:
    made, _ = region()
    made.mark(5, 1)
    made.mark(2, 2)
    made.mark(7, 3)

    made.clear(2)

    assert made.tracked == [Tracked(5, 1), Tracked(7, 3)]


def test_the_index_of_the_used_ring_is_beside_them() -> None:
    made, contents = region()

    made.used = 0x1234

    assert (made.used, contents[14:16].tobytes()) == (0x1234, b"\x34\x12")


def test_who_ended_before_the_used_ring_was_written_still_has_the_request() -> None:
    made, _ = region()
    made.mark(5, 1)
    made.give_back(5)

    made.recover(used_idx=0)

    assert made.tracked == [Tracked(5, 1)]


def test_who_ended_after_it_was_written_has_given_back_the_last_batch() -> None:
    made, _ = region()
    for counter, head in enumerate((5, 2, 7), 1):
        made.mark(head, counter)
    made.give_back(5)
    made.give_back(2)

    made.recover(used_idx=2)

    assert (made.tracked, made.used) == ([Tracked(7, 3)], 2)


def test_the_last_batch_may_wrap() -> None:
    made, _ = region()
    made.mark(5, 1)
    made.used = 0xFFFF
    made.give_back(5)

    made.recover(used_idx=0)

    assert made.tracked == []
