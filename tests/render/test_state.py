"""`vudissect state`, line by line."""

from tests.conversation import Conversation, memfd
from vudissect.protocol.model import Channel
from vudissect.render.state import state_lines
from vudissect.session.session import Session

PAGE = 4096
UUID = "00112233-4455-6677-8899-aabbccddeeff"
OTHER = "ffffffff-4455-6677-8899-aabbccddeeff"


def lines(talk: Conversation) -> list[str]:
    session = Session()
    for record in talk.records:
        session.feed(record)
    return list(state_lines(session.states[1], session.pairing(1)))


def test_counts_are_in_words() -> None:
    talk = Conversation()
    talk.front_end("SET_MEM_TABLE", nregions=1, regions=[{"size": PAGE}], descriptors=(memfd(),))
    talk.front_end("SET_VRING_CALL", index=0, nofd=1)

    assert "  memory: 1 region" in lines(talk)
    assert "    kick unknown, call none (#2, given once), err unknown" in lines(talk)


def test_a_device_that_nobody_has_named_is_a_guess() -> None:
    talk = Conversation()
    talk.open("qemu-kvm", "virtiofsd")

    assert lines(talk)[0] == "connection 1: connected, device fs (guessed)"


def test_mappings_are_below_their_region() -> None:
    talk = Conversation()
    talk.ask("GET_SHMEM_CONFIG", nregions=2, sizes=[{"size": 64 << 20}, {"size": 4 * PAGE}])
    talk.back_end("SHMEM_MAP", Channel.BACKEND, shm_offset=PAGE, len=2 * PAGE, descriptors=(memfd(),), fd_offset=PAGE)

    assert lines(talk)[-3:] == [
        "  shared memory region 0: 64M",
        "    0x1000+8K: mem#1+0x1000 (#3)",
        "  shared memory region 1: 16K",
    ]


def test_a_mapping_shows_a_region_of_unknown_size() -> None:
    talk = Conversation()
    talk.back_end("SHMEM_MAP", Channel.BACKEND, shmid=3, len=PAGE)

    assert lines(talk)[-2:] == ["  shared memory region 3: unknown", "    0+4K: no descriptor+0x0 (#1)"]


def test_shared_objects_have_their_frames_and_failures() -> None:
    talk = Conversation()
    talk.back_end("SHARED_OBJECT_ADD", Channel.BACKEND, uuid=UUID)
    talk.back_end("SHARED_OBJECT_ADD", Channel.BACKEND, uuid=OTHER, need_reply=True)
    talk.front_end("SHARED_OBJECT_ADD", Channel.BACKEND, ack=1)

    assert lines(talk)[-2:] == [
        f"  shared object {UUID} (#1)",
        f"  shared object {OTHER}: the front-end answered with a failure",
    ]
