"""What a back-end shares over its channel: objects and mappings, before and after each message."""

from typing import Any

from tests.conversation import Conversation, memfd
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Channel
from vudissect.session.shared import SharedMapping
from vudissect.session.state import State

PAGE = 4096
UUID = "00112233-4455-6677-8899-aabbccddeeff"
OTHER = "ffffffff-4455-6677-8899-aabbccddeeff"
FEATURES = PROTOCOL_FEATURES.mask("REPLY_ACK", "SHMEM", "SHARED_OBJECT")


def opened() -> Conversation:
    """A connection from its beginning to the back-end channel: four records."""
    talk = Conversation()
    talk.open()
    talk.ask("GET_PROTOCOL_FEATURES", features=FEATURES)
    talk.front_end("SET_PROTOCOL_FEATURES", features=FEATURES)
    return talk


def share(talk: Conversation, name: str, uuid: str, ack: int | None = None) -> None:
    talk.back_end(name, Channel.BACKEND, uuid=uuid, need_reply=ack is not None)
    if ack is not None:
        talk.front_end(name, Channel.BACKEND, ack=ack)


def map_at(talk: Conversation, start: int, length: int, ack: int | None = None, **options: Any) -> None:
    options |= {"shm_offset": start, "len": length, "descriptors": (memfd(),)}
    talk.back_end("SHMEM_MAP", Channel.BACKEND, need_reply=ack is not None, **options)
    if ack is not None:
        talk.front_end("SHMEM_MAP", Channel.BACKEND, ack=ack)


def unmap(talk: Conversation, start: int, length: int) -> None:
    talk.back_end("SHMEM_UNMAP", Channel.BACKEND, shm_offset=start, len=length)


def before(talk: Conversation) -> State:
    return talk.events()[-1].before


def after(talk: Conversation) -> State:
    return talk.events()[-1].after


def mapped(state: State) -> list[tuple[int, int]]:
    return [(mapping.start, mapping.size) for mapping in state.mappings.by_frame.values()]


class TestObjects:
    def test_one_that_was_added_is_there_with_its_frame(self) -> None:
        talk = opened()
        share(talk, "SHARED_OBJECT_ADD", UUID)

        assert before(talk).objects.added == {}
        assert after(talk).objects.added == {UUID: 5}

    def test_one_that_is_added_again_keeps_its_frame(self) -> None:
        talk = opened()
        share(talk, "SHARED_OBJECT_ADD", UUID)
        share(talk, "SHARED_OBJECT_ADD", UUID)

        assert after(talk).objects.added == {UUID: 5}

    def test_one_that_was_removed_is_gone(self) -> None:
        talk = opened()
        share(talk, "SHARED_OBJECT_ADD", UUID)
        share(talk, "SHARED_OBJECT_ADD", OTHER)
        share(talk, "SHARED_OBJECT_REMOVE", UUID)

        assert after(talk).objects.added == {OTHER: 6}

    def test_a_failure_leaves_doubt(self) -> None:
        talk = opened()
        share(talk, "SHARED_OBJECT_ADD", UUID, ack=1)

        assert after(talk).objects.added == {}
        assert after(talk).objects.doubtful == {UUID}

    def test_a_success_leaves_no_doubt(self) -> None:
        talk = opened()
        share(talk, "SHARED_OBJECT_ADD", UUID, ack=0)

        assert after(talk).objects.added == {UUID: 5}
        assert after(talk).objects.asked == {}

    def test_the_number_is_limited(self) -> None:
        talk = opened()
        for number in range(1100):
            share(talk, "SHARED_OBJECT_ADD", f"00000000-0000-0000-0000-{number + 1:012x}")

        assert len(after(talk).objects.added) == 1024
        assert not after(talk).objects.complete


class TestMappings:
    def test_a_mapping_has_its_file_and_range(self) -> None:
        talk = opened()
        map_at(talk, PAGE, 4 * PAGE, shmid=2, fd_offset=0x3000)

        assert before(talk).mappings.by_frame == {}
        assert after(talk).mappings.by_frame == {5: SharedMapping(2, PAGE, 4 * PAGE, "mem#1", 0x3000, 5)}

    def test_a_refused_mapping_does_not_exist(self) -> None:
        talk = opened()
        map_at(talk, 0, PAGE)
        map_at(talk, PAGE, PAGE, ack=1)

        assert mapped(after(talk)) == [(0, PAGE)]

    def test_a_mapping_that_was_unmapped_exactly_is_gone(self) -> None:
        talk = opened()
        map_at(talk, 0, PAGE)
        map_at(talk, PAGE, PAGE)
        unmap(talk, 0, PAGE)

        assert mapped(after(talk)) == [(PAGE, PAGE)]
        assert list(after(talk).mappings.by_region) == [0]

    def test_a_mapping_that_was_unmapped_in_part_still_exists(self) -> None:
        talk = opened()
        map_at(talk, 0, 2 * PAGE)
        unmap(talk, 0, PAGE)

        assert mapped(after(talk)) == [(0, 2 * PAGE)]

    def test_the_oldest_overlapping_mapping_is_found(self) -> None:
        talk = opened()
        map_at(talk, 2 * PAGE, PAGE)
        map_at(talk, 0, PAGE)
        found = after(talk).mappings.overlapping(0, 0, 3 * PAGE)

        assert found is not None
        assert found.frame == 5

    def test_after_a_reset_nothing_is_known(self) -> None:
        talk = opened()
        map_at(talk, 0, PAGE)
        talk.front_end("RESET_DEVICE")

        assert mapped(after(talk)) == []
        assert not after(talk).mappings.complete

    def test_status_0_is_a_reset_and_another_is_not(self) -> None:
        talk = opened()
        map_at(talk, 0, PAGE)
        talk.front_end("SET_STATUS", status=1)

        assert mapped(after(talk)) == [(0, PAGE)]

        talk.front_end("SET_STATUS", status=0)

        assert mapped(after(talk)) == []

    def test_the_number_is_limited(self) -> None:
        talk = opened()
        for number in range(1100):
            map_at(talk, number * PAGE, PAGE)

        assert len(mapped(after(talk))) == 1024
        assert not after(talk).mappings.complete
