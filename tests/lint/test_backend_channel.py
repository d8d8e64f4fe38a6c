"""VU-BEC, VU-SHO, VU-SHM: the back-end channel, and what is shared over it."""

import struct
from typing import Any

import pytest

from tests.conversation import SECOND, Conversation, memfd, of_kind
from tests.lint import found, only
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.payloads import UUID_MISSING

BACKEND = Channel.BACKEND
REPLY_ACK = PROTOCOL_FEATURES.mask("REPLY_ACK")
UUID = "00112233-4455-6677-8899-aabbccddeeff"
OTHER = "ffffffff-4455-6677-8899-aabbccddeeff"
NIL = "00000000-0000-0000-0000-000000000000"
PAGE = 4096
SOCKET = of_kind(DescriptorKind.SOCKET, "1", "socket:[1] stream")
DMABUF = of_kind(DescriptorKind.DMABUF, "1", "/dmabuf:")


def opened(front_end: str = "", features: int = REPLY_ACK) -> Conversation:
    """A connection from its beginning to the back-end channel: four records."""
    talk = Conversation()
    talk.open(front_end)
    talk.ask("GET_PROTOCOL_FEATURES", features=features)
    talk.front_end("SET_PROTOCOL_FEATURES", features=features)
    return talk


class TestRequestsOfTheBackEnd:
    """VU-BEC-01."""

    def test_an_acknowledgement_that_was_not_negotiated(self) -> None:
        talk = opened(features=0)
        talk.back_end("CONFIG_CHANGE_MSG", BACKEND, need_reply=True)

        finding = only(talk, "VU-BEC-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 5)
        assert "CONFIG_CHANGE_MSG asks the front-end for an acknowledgement" in finding.message
        assert "the back-end does not offer REPLY_ACK" in finding.message

    def test_one_that_was(self) -> None:
        talk = opened()
        talk.back_end("CONFIG_CHANGE_MSG", BACKEND, need_reply=True)

        assert found(talk, "VU-BEC-01") == []

    def test_a_request_on_the_main_channel(self) -> None:
        talk = opened()
        talk.raw(Side.BACK_END, struct.pack("<III", 2, 1, 0))

        finding = only(talk, "VU-BEC-01")

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 5)
        assert "a request on the main channel (message 2, which is CONFIG_CHANGE_MSG" in finding.message

    def test_an_answer_that_only_lacks_its_flag(self) -> None:
        talk = opened()
        talk.front_end("SET_FEATURES", features=0, need_reply=True)
        talk.raw(Side.BACK_END, struct.pack("<IIIQ", 2, 1, 8, 0))

        assert found(talk, "VU-BEC-01") == []

    def answered(self, name: str, result: int, uuid: str = UUID, talk: Conversation | None = None) -> Conversation:
        talk = talk or opened()
        talk.back_end(name, BACKEND, uuid=uuid, need_reply=True)
        talk.front_end(name, BACKEND, ack=result)
        return talk

    def test_a_success_that_is_answered_as_a_failure(self) -> None:
        finding = only(self.answered("SHARED_OBJECT_ADD", 1), "VU-BEC-01")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.FRONT_END, 6, (5,))
        assert (
            "SHARED_OBJECT_ADD (#5) should have succeeded, but the answer is 1, which means failure" in finding.message
        )
        assert "QEMU 8.2 to 9.1" in finding.message

    def test_a_failure_that_is_answered_as_a_success(self) -> None:
        finding = only(self.answered("SHARED_OBJECT_REMOVE", 0), "VU-BEC-01")

        assert "should have failed, but the answer is 0, which means success" in finding.message

    def test_a_success_and_a_failure_as_they_are(self) -> None:
        talk = self.answered("SHARED_OBJECT_ADD", 0)
        self.answered("SHARED_OBJECT_REMOVE", 0, talk=talk)
        self.answered("SHARED_OBJECT_REMOVE", 1, talk=talk)

        assert found(talk, "VU-BEC-01") == []

    def test_another_front_end_has_its_reasons(self) -> None:
        talk = self.answered("SHARED_OBJECT_ADD", 1, talk=opened("crosvm"))

        assert found(talk, "VU-BEC-01") == []


class TestChannelClosed:
    """VU-BEC-02."""

    def closed(self, by: str = "front-end", channel: Channel = BACKEND) -> Conversation:
        talk = opened()
        talk.event(RecordKind.CHANNEL_CLOSED, channel, by=by, how="eof")
        return talk

    def test_closed_while_the_session_goes_on(self) -> None:
        talk = self.closed()
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)
        talk.front_end("SET_VRING_ENABLE", index=1, num=1)

        finding = only(talk, "VU-BEC-02")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (5, (6,))
        assert "the front-end closed the back-end channel" in finding.message

    def test_closed_by_the_back_end_long_before_the_end(self) -> None:
        talk = self.closed("back-end")
        talk.silence(2 * SECOND)
        talk.close("front-end")

        assert only(talk, "VU-BEC-02").blame is Blame.BACK_END

    def test_closed_when_all_is_closed(self) -> None:
        talk = self.closed()
        talk.close("front-end")

        assert found(talk, "VU-BEC-02") == []

    def test_closed_as_the_last_that_is_seen(self) -> None:
        assert found(self.closed(), "VU-BEC-02") == []

    def test_closed_by_the_proxy_after_the_main_channel(self) -> None:
        talk = self.closed("proxy")
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        assert found(talk, "VU-BEC-02") == []

    def test_replaced_by_another(self) -> None:
        talk = self.closed()
        talk.front_end("SET_BACKEND_REQ_FD", descriptors=(SOCKET,))
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        assert found(talk, "VU-BEC-02") == []

    def test_another_channel(self) -> None:
        talk = self.closed(channel=Channel.GPU)
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        assert found(talk, "VU-BEC-02") == []


class TestSharedObjects:
    """VU-SHO-01."""

    @pytest.mark.parametrize("name", ["SHARED_OBJECT_ADD", "SHARED_OBJECT_LOOKUP"])
    def test_the_nil_uuid(self, name: str) -> None:
        talk = opened()
        talk.back_end(name, BACKEND, uuid=NIL)

        finding = only(talk, "VU-SHO-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 5)
        assert f"{name} uses the nil UUID" in finding.message

    def test_added_twice(self) -> None:
        talk = opened()
        for uuid in (UUID, OTHER, UUID):
            talk.back_end("SHARED_OBJECT_ADD", BACKEND, uuid=uuid)

        finding = only(talk, "VU-SHO-01")

        assert (finding.frame, finding.frames) == (7, (5,))
        assert f"adds {UUID} again, first added in #5" in finding.message

    def test_added_again_after_it_was_refused(self) -> None:
        talk = opened()
        talk.back_end("SHARED_OBJECT_ADD", BACKEND, uuid=UUID, need_reply=True)
        talk.front_end("SHARED_OBJECT_ADD", BACKEND, ack=22)
        talk.back_end("SHARED_OBJECT_ADD", BACKEND, uuid=UUID)

        assert found(talk, "VU-SHO-01") == []

    def test_removed_without_having_been_added(self) -> None:
        talk = opened()
        talk.back_end("SHARED_OBJECT_ADD", BACKEND, uuid=OTHER)
        talk.back_end("SHARED_OBJECT_REMOVE", BACKEND, uuid=UUID)

        finding = only(talk, "VU-SHO-01")

        assert finding.frame == 6
        assert f"removes {UUID}, which does not exist" in finding.message

    def test_removed_after_an_answer_that_some_mean_the_other_way_round(self) -> None:
        talk = opened()
        talk.back_end("SHARED_OBJECT_ADD", BACKEND, uuid=UUID, need_reply=True)
        talk.front_end("SHARED_OBJECT_ADD", BACKEND, ack=1)
        talk.back_end("SHARED_OBJECT_REMOVE", BACKEND, uuid=UUID)

        assert found(talk, "VU-SHO-01") == []

    def test_in_mid_session_it_may_have_been_added(self) -> None:
        talk = Conversation()
        talk.back_end("SHARED_OBJECT_REMOVE", BACKEND, uuid=UUID)

        assert found(talk, "VU-SHO-01") == []

    def test_added_and_removed_and_added(self) -> None:
        talk = opened()
        for name in ("SHARED_OBJECT_ADD", "SHARED_OBJECT_REMOVE", "SHARED_OBJECT_ADD"):
            talk.back_end(name, BACKEND, uuid=UUID)

        assert found(talk, "VU-SHO-01") == []

    def looked_up(self, result: int, *descriptors: Any) -> Conversation:
        talk = opened()
        talk.back_end("SHARED_OBJECT_LOOKUP", BACKEND, uuid=UUID)
        talk.front_end("SHARED_OBJECT_LOOKUP", BACKEND, result=result, descriptors=descriptors)
        return talk

    def test_found_without_a_descriptor(self) -> None:
        finding = only(self.looked_up(0), "VU-SHO-01")

        assert (finding.blame, finding.frame) == (Blame.FRONT_END, 6)
        assert "reports success but carries no descriptor" in finding.message

    def test_found(self) -> None:
        assert found(self.looked_up(0, DMABUF), "VU-SHO-01") == []

    def test_not_found(self) -> None:
        assert found(self.looked_up(1), "VU-SHO-01") == []


class TestAskedForObject:
    """VU-SHO-02."""

    def test_without_saying_which(self) -> None:
        talk = Conversation()
        talk.front_end("GET_SHARED_OBJECT", layout=UUID_MISSING)

        finding = only(talk, "VU-SHO-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 1)
        assert "GET_SHARED_OBJECT has a payload of 0 bytes" in finding.message

    def test_the_answer_to_that_is_not_to_blame(self) -> None:
        talk = Conversation()
        talk.front_end("GET_SHARED_OBJECT", layout=UUID_MISSING)
        talk.back_end("GET_SHARED_OBJECT")

        assert only(talk, "VU-SHO-02").frame == 1

    def test_answered_without_a_descriptor(self) -> None:
        talk = Conversation()
        talk.front_end("GET_SHARED_OBJECT", uuid=UUID)
        talk.back_end("GET_SHARED_OBJECT")

        finding = only(talk, "VU-SHO-02")

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 2)
        assert "the answer to GET_SHARED_OBJECT has no descriptor" in finding.message

    def test_asked_and_answered(self) -> None:
        talk = Conversation()
        talk.front_end("GET_SHARED_OBJECT", uuid=UUID)
        talk.back_end("GET_SHARED_OBJECT", descriptors=(DMABUF,))

        assert found(talk, "VU-SHO-02") == []


class TestSharedMemory:
    """VU-SHM-01."""

    def talk(self, *sizes: int) -> Conversation:
        """A device with shared memory regions of these sizes: six records."""
        talk = opened()
        talk.ask("GET_SHMEM_CONFIG", nregions=len(sizes), sizes=[{"size": size} for size in sizes])
        return talk

    def map(self, talk: Conversation, start: int, length: int, name: str = "SHMEM_MAP", **options: Any) -> None:
        descriptors = (memfd(),) if name == "SHMEM_MAP" else ()
        talk.back_end(name, BACKEND, shm_offset=start, len=length, descriptors=descriptors, **options)

    def unmap(self, talk: Conversation, start: int, length: int, **options: Any) -> None:
        self.map(talk, start, length, "SHMEM_UNMAP", **options)

    def test_beyond_the_end_of_the_region(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 15 * PAGE, 2 * PAGE)

        finding = only(talk, "VU-SHM-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 7)
        assert "SHMEM_MAP maps 0xf000 to 0x11000 of shared memory region 0, past its end at 0x10000" in finding.message

    def test_in_a_region_that_is_not_there(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 0, PAGE, shmid=1)

        assert "shared memory region 1, which the device does not have" in only(talk, "VU-SHM-01").message

    @pytest.mark.parametrize(
        ("fields", "said"),
        [({"fd_offset": 5}, "fd_offset 0x5"), ({"shm_offset": 0x800}, "shm_offset 0x800"), ({"len": 1}, "len 0x1")],
    )
    def test_not_on_pages(self, fields: dict[str, int], said: str) -> None:
        talk = self.talk(16 * PAGE)
        talk.back_end("SHMEM_MAP", BACKEND, descriptors=(memfd(),), **{"len": PAGE, **fields})

        assert f"not aligned to pages of 4096 bytes: {said}" in only(talk, "VU-SHM-01").message

    def test_not_on_the_pages_of_the_file(self) -> None:
        talk = self.talk(1 << 30)
        talk.back_end("SHMEM_MAP", BACKEND, len=PAGE, descriptors=(memfd(page_size=2 << 20),))

        assert "not aligned to pages of 2097152 bytes: len 0x1000" in only(talk, "VU-SHM-01").message

    def test_nothing(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 0, 0)

        assert "which is empty" in only(talk, "VU-SHM-01").message

    def test_over_another(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 0, 4 * PAGE)
        self.map(talk, 3 * PAGE, PAGE)

        finding = only(talk, "VU-SHM-01")

        assert (finding.frame, finding.frames) == (8, (7,))
        assert "which overlaps 0x0 to 0x4000 of #7" in finding.message

    def test_over_one_that_was_refused(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 0, 4 * PAGE, need_reply=True)
        talk.front_end("SHMEM_MAP", BACKEND, ack=1)
        self.map(talk, 3 * PAGE, PAGE)

        assert found(talk, "VU-SHM-01") == []

    def test_beside_another_and_in_another_region(self) -> None:
        talk = self.talk(16 * PAGE, 16 * PAGE)
        self.map(talk, 0, 4 * PAGE)
        self.map(talk, 4 * PAGE, PAGE)
        self.map(talk, 0, 4 * PAGE, shmid=1)

        assert found(talk, "VU-SHM-01") == []

    def test_undone_otherwise_than_made(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 0, 4 * PAGE)
        self.unmap(talk, 0, 2 * PAGE)

        finding = only(talk, "VU-SHM-01")

        assert (finding.frame, finding.frames) == (8, (7,))
        assert "SHMEM_UNMAP unmaps 0x0 to 0x2000 of shared memory region 0, which was not mapped with these bounds" in (
            finding.message
        )
        assert "#7 mapped 0x0 to 0x4000" in finding.message

    def test_undone_twice(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 0, PAGE)
        self.unmap(talk, 0, PAGE)
        self.unmap(talk, 0, PAGE)

        assert only(talk, "VU-SHM-01").frame == 9

    def test_made_and_undone_and_made(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 0, PAGE)
        self.unmap(talk, 0, PAGE)
        self.map(talk, 0, PAGE)

        assert found(talk, "VU-SHM-01") == []

    def test_undone_in_mid_session(self) -> None:
        talk = Conversation()
        self.unmap(talk, 0, PAGE)

        assert found(talk, "VU-SHM-01") == []

    def test_after_a_reset_nothing_is_known(self) -> None:
        talk = self.talk(16 * PAGE)
        self.map(talk, 0, PAGE)
        talk.front_end("RESET_DEVICE")
        self.map(talk, 0, PAGE)
        self.unmap(talk, PAGE, PAGE)

        assert found(talk, "VU-SHM-01") == []

    def test_sizes_that_nobody_asked_for_are_not_known(self) -> None:
        talk = opened()
        self.map(talk, 1 << 40, PAGE)

        assert found(talk, "VU-SHM-01") == []


class TestSharedMemorySizes:
    """VU-SHM-02."""

    def config(self, *sizes: int) -> Conversation:
        talk = Conversation()
        for size in sizes:
            talk.ask("GET_SHMEM_CONFIG", nregions=1, sizes=[{}, {"size": size}])
        return talk

    def test_no_whole_pages(self) -> None:
        finding = only(self.config(5000), "VU-SHM-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.BACK_END, 2)
        assert "shared memory region 1 has 0x1388 bytes" in finding.message

    def test_another_size_than_before(self) -> None:
        finding = only(self.config(PAGE, 2 * PAGE), "VU-SHM-02")

        assert (finding.frame, finding.frames) == (4, (2,))
        assert "shared memory region 1 had 0x1000 bytes in #2 and now has 0x2000" in finding.message

    def test_the_same_whole_pages(self) -> None:
        assert found(self.config(PAGE, PAGE), "VU-SHM-02") == []


def test_sharing_without_end_is_not_remembered_without_end() -> None:
    talk = opened()
    for number in range(2000):
        talk.back_end("SHARED_OBJECT_ADD", BACKEND, uuid=struct.pack("<QQ", number + 1, 0))
    talk.back_end("SHARED_OBJECT_REMOVE", BACKEND, uuid=UUID)

    assert found(talk, "VU-SHO-01", "VU-BEC-01") == []
