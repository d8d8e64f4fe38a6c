"""Words that both sides look at."""

from vudissect.rings.words import store


def test_a_word_is_little_endian_and_leaves_its_neighbours_alone() -> None:
    memory = bytearray(b"\xaa" * 6)

    store(memoryview(memory), 2, 0x0102)

    assert memory == b"\xaa\xaa\x02\x01\xaa\xaa"
