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

    made.used_idx = 0x1234

    assert (made.used_idx, contents[14:16].tobytes()) == (0x1234, b"\x34\x12")
