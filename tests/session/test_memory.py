"""What a session knows about the memory map."""

import pytest

from tests.conversation import Conversation, memfd
from vudissect.capture.record import RecordKind
from vudissect.protocol.payloads import MEM_TABLE_TWO
from vudissect.session.memory import NO_MEMORY, Region
from vudissect.session.state import State


def after(talk: Conversation) -> State:
    return talk.events()[-1].after


def test_a_region_has_the_frame_that_set_it_and_the_map_its_last_change() -> None:
    talk = Conversation()
    talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),))
    talk.front_end("ADD_MEM_REG", guest_addr=4096, size=4096, descriptors=(memfd(),))

    memory = after(talk).memory

    assert [region.frame for region in memory.regions] == [1, 2]
    assert memory.changed_in == 2


def test_unused_slots_are_not_regions() -> None:
    talk = Conversation()
    talk.front_end(
        "SET_MEM_TABLE", layout=MEM_TABLE_TWO, nregions=1, regions=[{"size": 4096}, {}], descriptors=(memfd(),)
    )

    assert len(after(talk).memory.regions) == 1


def test_ten_thousand_regions_are_not_kept() -> None:
    memory = NO_MEMORY
    for number in range(10_000):
        memory = memory.with_region(Region(0, number * 4096, 4096, 0, 0, ""))

    assert len(memory.regions) <= 1024


@pytest.mark.parametrize("first", ["SET_OWNER", "SET_MEM_TABLE"])
def test_after_the_beginning_or_a_table_all_regions_are_known(first: str) -> None:
    talk = Conversation()
    talk.front_end(first)

    assert after(talk).knows_memory


def test_in_mid_session_there_may_be_regions_that_were_not_seen() -> None:
    talk = Conversation()
    talk.front_end("ADD_MEM_REG", size=4096, descriptors=(memfd(),))

    assert not after(talk).knows_memory


def test_after_a_gap_there_may_be_other_regions() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),))
    talk.event(RecordKind.GAP)

    assert not after(talk).knows_memory
