"""In-flight memory of a packed ring."""

from vudissect.rings.chain import DescriptorFlag
from vudissect.rings.packed_inflight import Descriptor, PackedInflightRegion, TrackedChain, region_size

AVAILABLE, USED = DescriptorFlag.AVAIL, DescriptorFlag.AVAIL | DescriptorFlag.USED
_WRAP = 1 << 15


def region(size: int = 8) -> tuple[PackedInflightRegion, memoryview]:
    contents = memoryview(bytearray(region_size(size)))
    made = PackedInflightRegion(contents, size)
    made.begin()
    return made, contents


def chain(number: int, count: int = 2) -> tuple[Descriptor, ...]:
    """What a driver makes available as request `number`."""
    return tuple(Descriptor(0x1000 * number + place, 16, number, AVAILABLE) for place in range(count))


def done(made: PackedInflightRegion, entry: int) -> None:
    made.give_back(entry)
    made.commit(entry)


def test_a_ring_takes_a_header_of_32_bytes_and_32_for_each_entry_in_units_of_64() -> None:
    assert [region_size(size) for size in (1, 2, 128)] == [64, 128, 4160]


def test_a_region_that_is_used_for_the_first_time_has_version_size_and_both_wrap_counters() -> None:
    _, contents = region()

    assert contents[:32].tobytes() == bytes([*bytes(8), 1, 0, 8, 0, *bytes(8), 1, 1, *bytes(10)])


def test_all_entries_of_a_new_region_are_in_the_list_of_free_ones() -> None:
    _, contents = region(3)

    assert [contents[32 + 32 * entry + 2] for entry in range(3)] == [1, 2, 3]


def test_the_descriptors_in_flight_are_counted() -> None:
    made, _ = region()
    first = made.take(chain(1, 3), 1)
    made.take(chain(2, 2), 2)
    done(made, first)

    assert made.descriptors == 2


def test_a_region_cannot_have_more_descriptors_than_its_ring() -> None:
    made, contents = region()
    for entry in range(8):
        contents[32 + 32 * entry] = 1
        contents[32 + 32 * entry + 6 : 32 + 32 * entry + 8] = b"\xff\xff"

    assert made.descriptors == 8


def test_a_region_that_is_in_use_stays_as_it_is() -> None:
    made, contents = region()
    made.take(chain(1), 1)
    before = contents.tobytes()

    made.begin()

    assert contents.tobytes() == before


def test_a_request_is_kept_with_all_of_its_descriptors() -> None:
    made, contents = region()

    made.take(chain(5, 3), 9)

    assert made.tracked == [TrackedChain(0, 9, chain(5, 3))]
    first = contents[32:64].tobytes()
    assert first.hex(" ", 4) == "01000100 02000300 09000000 00000000 05008000 10000000 00500000 00000000"


def test_requests_are_found_in_the_order_in_which_they_were_taken() -> None:
    made, _ = region()
    entries = [made.take(chain(number), number) for number in (1, 2, 3)]
    done(made, entries[0])
    made.take(chain(4), 4)

    assert [each.counter for each in made.tracked] == [2, 3, 4]
    assert made.tracked[-1].descriptors == chain(4)


def test_entries_of_a_request_that_was_given_back_are_used_again() -> None:
    made, _ = region(4)
    first = made.take(chain(1), 1)
    made.take(chain(2), 2)
    done(made, first)

    assert made.take(chain(3), 3) == first


def test_the_place_in_the_ring_wraps() -> None:
    made, _ = region(3)
    places = []
    for number in (1, 2):
        done(made, made.take(chain(number), number))
        places.append(made.used)

    assert places == [2 | _WRAP, 1]


def test_who_ended_before_the_ring_was_written_still_has_the_request() -> None:
    made, _ = region()
    made.give_back(made.take(chain(1), 1))
    assert not made.is_settled

    made.recover(lambda index: AVAILABLE)

    assert [each.id for each in made.tracked] == [1]
    assert (made.used, made.is_settled) == (_WRAP, True)


def test_who_ended_after_the_ring_was_written_has_given_it_back() -> None:
    made, _ = region()
    made.give_back(made.take(chain(1), 1))

    made.recover(lambda index: USED)

    assert made.tracked == []
    assert (made.used, made.is_settled) == (2 | _WRAP, True)


def test_who_ended_while_it_took_a_request_has_not_taken_it() -> None:
    made, contents = region()
    made.take(chain(1, 1), 1)
    made.take(chain(2), 2)
    contents[14:16] = b"\1\0"  # the last step of `take`, undone

    made.recover(lambda index: AVAILABLE)

    assert [each.id for each in made.tracked] == [1]
    assert made.take(chain(3), 3) == 1


def test_a_region_with_nonsense_in_it_has_no_chain_without_an_end() -> None:
    made = PackedInflightRegion(memoryview(bytearray(b"\xff" * region_size(4))), 4)

    assert [len(each.descriptors) for each in made.tracked] == [1, 1, 1, 1]
    made.recover(lambda index: USED)
