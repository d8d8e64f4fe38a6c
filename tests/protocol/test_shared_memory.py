"""How much memory must be shared."""

import pytest

from vudissect.protocol.shared_memory import inflight_size, log_size

WORD_OF_PAGES = 64 * 4096


@pytest.mark.parametrize(
    ("last_address", "size"), [(0, 8), (WORD_OF_PAGES - 1, 8), (WORD_OF_PAGES, 16), ((4 << 30) - 1, 131072)]
)
def test_the_dirty_log_has_a_bit_for_each_page_in_whole_words(last_address: int, size: int) -> None:
    assert log_size(last_address) == size


def test_in_flight_memory_of_libvhost_user_is_large_enough() -> None:
    aligned = 2112

    assert aligned - 64 < inflight_size(1, 128) <= aligned
