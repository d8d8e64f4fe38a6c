"""The rings in the memory for a back-end: valid and empty, at the position that is sent to it."""

import os
import struct

import pytest

from tests.replay.talks import records_of
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.replay import InMemory, RawMessage, Side, replay, script_of

MEMORY = "F>B SET_MEM_TABLE region0 0+64M at 0x7f0000000000 +mem#1 (memfd ram 80M)"
RING = (
    "F>B SET_VRING_NUM ring 0 num 256",
    "F>B SET_VRING_BASE ring 0 base 273",
    "F>B SET_VRING_ADDR ring 0 desc region0+0x1000 avail region0+0x2000 used region0+0x3000",
    "F>B SET_VRING_KICK ring 0 +evt#1",
)
INDEX = struct.Struct("<HH")


class BackEnd:
    """Examines the memory when a ring is started, as a back-end does."""

    def __init__(self, at: int) -> None:
        self.memory = -1
        self.words: list[tuple[int, int]] = []
        self._at = at

    def hear(self, raw: RawMessage) -> list[RawMessage]:
        row = UPSTREAM.request(Channel.MAIN, raw.data[0])
        if row is not None and row.purpose is Purpose.REPLACE_MEMORY:
            self.memory = os.dup(raw.descriptors[0])
        if row is not None and row.purpose is Purpose.SET_KICK:
            self.words = [INDEX.unpack(os.pread(self.memory, 4, self._at + offset)) for offset in (0x2000, 0x3000)]
        return []


def laid(*lines: str, file_offset: int = 0) -> list[tuple[int, int]]:
    """Flags and index of the available and of the used ring, as a back-end finds them when ring 0 starts."""
    back_end = BackEnd(file_offset)
    replay(script_of(records_of(*lines), Side.FRONT_END), InMemory(back_end.hear))
    os.close(back_end.memory)
    return back_end.words


def test_both_indices_are_at_the_base_of_the_ring() -> None:
    assert laid(MEMORY, *RING) == [(0, 273), (0, 273)]


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (2, 1, 0, 3)])
def test_whatever_the_order_of_the_messages(order: tuple[int, ...]) -> None:
    assert laid(MEMORY, *(RING[number] for number in order)) == [(0, 273), (0, 273)]


def test_the_offset_of_the_region_in_the_file() -> None:
    shifted = MEMORY.replace("at 0x7f0000000000", "at 0x7f0000000000 file+0x1000000")

    assert laid(shifted, *RING, file_offset=0x1000000) == [(0, 273), (0, 273)]


def test_a_restarted_ring_is_at_its_new_base() -> None:
    again = (RING[1].replace("273", "5"), RING[3].replace("evt#1", "evt#2"))

    assert laid(MEMORY, *RING, *again) == [(0, 5), (0, 5)]


def test_an_empty_packed_ring_is_not_changed() -> None:
    packed = "F>B SET_FEATURES RING_PACKED VERSION_1"

    assert laid(packed, MEMORY, *RING) == [(0, 0), (0, 0)]


def test_addresses_that_need_an_iommu_are_skipped() -> None:
    translated = "F>B SET_FEATURES ACCESS_PLATFORM VERSION_1"

    assert laid(translated, MEMORY, *RING[:2], RING[2].replace("region0+", ""), RING[3]) == [(0, 0), (0, 0)]


def test_a_ring_outside_of_the_memory_does_not_stop_the_replay() -> None:
    assert laid(MEMORY, *RING[:2], RING[2].replace("region0+", ""), RING[3]) == [(0, 0), (0, 0)]


@pytest.mark.parametrize(
    "memory",
    [
        "F>B ADD_MEM_REG 0+64M at 0x7f0000000000 file+0x7fffffffffffe000 +mem#1 (memfd ram 80M)",
        "F>B ADD_MEM_REG 0+0xffffffffffffffff at 0 file+0xffffffffffffffff +mem#1 (memfd ram 80M)",
    ],
)
def test_an_offset_beyond_all_files_does_not_stop_the_replay(memory: str) -> None:
    place = "F>B SET_VRING_ADDR ring 0 desc 0x7f0000001000 avail 0x7f0000002000 used 0x7f0000003000"

    outcome = replay(
        script_of(records_of(memory, *RING[:2], place, RING[3]), Side.FRONT_END), InMemory(lambda _: []), None
    )

    assert any("ring 0 cannot be written to the memory: File too large" in remark for remark in outcome.remarks)
    assert outcome.ok
