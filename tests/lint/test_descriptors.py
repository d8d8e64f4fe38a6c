"""VU-FD: descriptors."""

import pytest

from tests.conversation import Conversation, eventfd, file, memfd, of_kind
from tests.lint import found, only
from vudissect.capture.record import Mark
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.model import Channel
from vudissect.protocol.payloads import LOG_ADDRESS, MEM_REG_CONSUMED

MIB = 1 << 20
PIPE = of_kind(DescriptorKind.PIPE, "1")
STREAM = of_kind(DescriptorKind.SOCKET, "1", "socket:[1] stream")


def event_descriptors(number: int) -> tuple[Descriptor, ...]:
    return tuple(eventfd(index) for index in range(number))


class TestSurplus:
    """VU-FD-01."""

    def test_a_descriptor_on_a_message_that_takes_none(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_NUM", index=0, num=256, descriptors=(eventfd(1),))

        finding = only(talk, "VU-FD-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 1)
        assert "SET_VRING_NUM takes no descriptors but carries 1 (evt#1)" in finding.message

    def test_one_too_many(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", descriptors=(memfd("a"), memfd("b")))

        assert "ADD_MEM_REG takes 1 descriptor but carries 2 (mem#1, mem#2)" in only(talk, "VU-FD-01").message

    def test_one_on_an_answer(self) -> None:
        talk = Conversation()
        talk.front_end("GET_FEATURES")
        talk.back_end("GET_FEATURES", descriptors=(eventfd(1),))

        finding = only(talk, "VU-FD-01")

        assert finding.blame is Blame.BACK_END
        assert "the answer to GET_FEATURES takes no descriptors" in finding.message

    def test_one_on_the_message_that_ends_a_postcopy_exchange(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED, descriptors=(memfd(),))

        assert "ADD_MEM_REG takes no descriptors but carries 1" in only(talk, "VU-FD-01").message

    def test_one_where_one_belongs(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", descriptors=(memfd(),))
        talk.front_end("SET_VRING_KICK", descriptors=(eventfd(1),))
        talk.front_end("POSTCOPY_ADVISE")
        talk.back_end("POSTCOPY_ADVISE", descriptors=(of_kind(DescriptorKind.USERFAULTFD, "1"),))

        assert found(talk, "VU-FD-01") == []

    def test_what_has_a_rule_of_its_own_is_told_there(self) -> None:
        talk = Conversation()
        talk.front_end("REM_MEM_REG", descriptors=(memfd(),))
        talk.front_end("SET_LOG_BASE", layout=LOG_ADDRESS, descriptors=(memfd(),))
        talk.front_end("SET_VRING_CALL", descriptors=event_descriptors(2))

        assert found(talk, "VU-FD-01") == []

    def test_of_an_unknown_message_nobody_knows(self) -> None:
        talk = Conversation()
        talk.front_end(77, payload=b"", descriptors=(eventfd(1),))

        assert found(talk, "VU-FD-01") == []


class TestMissing:
    """VU-FD-02."""

    def test_a_table_with_fewer_descriptors_than_regions(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}, {}], descriptors=(memfd(),))

        finding = only(talk, "VU-FD-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 1)
        assert "SET_MEM_TABLE has nregions 2 but 1 descriptor" in finding.message

    @pytest.mark.parametrize(
        "name", ["ADD_MEM_REG", "SET_BACKEND_REQ_FD", "GPU_SET_SOCKET", "SET_INFLIGHT_FD", "SET_DEVICE_STATE_FD"]
    )
    def test_a_message_that_is_nothing_without_its_descriptor(self, name: str) -> None:
        talk = Conversation()
        talk.front_end(name)

        assert f"{name} has no descriptors, it needs 1 descriptor" in only(talk, "VU-FD-02").message

    def test_a_mapping_of_nothing(self) -> None:
        talk = Conversation()
        talk.back_end("SHMEM_MAP", Channel.BACKEND, len=4096)

        assert only(talk, "VU-FD-02").blame is Blame.BACK_END

    def test_as_many_as_there_should_be(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}, {}], descriptors=(memfd("a"), memfd("b")))
        talk.front_end("ADD_MEM_REG", descriptors=(memfd("c"),))

        assert found(talk, "VU-FD-02") == []

    def test_the_messages_that_end_a_postcopy_exchange_have_none(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE")
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED)

        assert found(talk, "VU-FD-02") == []


class TestContradiction:
    """VU-FD-03."""

    @pytest.mark.parametrize("name", ["SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR"])
    def test_a_descriptor_that_is_denied(self, name: str) -> None:
        talk = Conversation()
        talk.front_end(name, index=3, nofd=1, descriptors=(eventfd(1),))

        finding = only(talk, "VU-FD-03")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 1)
        assert f"{name} of ring 3 carries evt#1 although its bit 8" in finding.message

    def test_a_descriptor_that_is_promised_and_missing(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_CALL", index=3)

        assert "SET_VRING_CALL of ring 3 carries no descriptor" in only(talk, "VU-FD-03").message

    def test_in_an_answer(self) -> None:
        talk = Conversation()
        talk.front_end("SET_DEVICE_STATE_FD", descriptors=(PIPE,))
        talk.back_end("SET_DEVICE_STATE_FD")

        finding = only(talk, "VU-FD-03")

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 2)

    @pytest.mark.parametrize(("nofd", "descriptors"), [(0, 1), (1, 0)])
    def test_a_message_that_says_what_is(self, nofd: int, descriptors: int) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=3, nofd=nofd, descriptors=event_descriptors(descriptors))

        assert found(talk, "VU-FD-03") == []

    def test_a_failure_needs_no_bit(self) -> None:
        talk = Conversation()
        talk.front_end("SET_DEVICE_STATE_FD", descriptors=(PIPE,))
        talk.back_end("SET_DEVICE_STATE_FD", error=1)

        assert found(talk, "VU-FD-03") == []


class TestSeveralForARing:
    """VU-FD-04."""

    def test_two(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=event_descriptors(2))

        finding = only(talk, "VU-FD-04")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert "SET_VRING_KICK takes one descriptor but carries 2 (evt#1, evt#2)" in finding.message

    def test_one(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))

        assert found(talk, "VU-FD-04") == []


class TestReceiversLimit:
    """VU-FD-05."""

    def table(self, regions: int, back_end: str = "") -> Conversation:
        talk = Conversation()
        talk.open("", back_end)
        talk.front_end(
            "SET_MEM_TABLE", regions=[{}] * regions, descriptors=tuple(memfd(str(index)) for index in range(regions))
        )
        return talk

    def test_more_than_most_take(self) -> None:
        finding = only(self.table(9), "VU-FD-05")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 2)
        assert "SET_MEM_TABLE carries 9 descriptors" in finding.message
        assert "room for 8" in finding.message

    def test_as_many_as_all_take(self) -> None:
        assert found(self.table(8), "VU-FD-05") == []

    def test_rust_vmm_takes_more(self) -> None:
        assert found(self.table(9, "vhost-device-so"), "VU-FD-05") == []

    def test_but_not_any_number(self) -> None:
        assert "rust-vmm: room for 32" in only(self.table(33, "vhost-device-so"), "VU-FD-05").message


class TestKind:
    """VU-FD-06."""

    def test_a_kick_that_is_no_eventfd(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(STREAM,))

        finding = only(talk, "VU-FD-06")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 1)
        assert "SET_VRING_KICK: sock#1 is of kind socket where eventfd is needed" in finding.message

    def test_memory_that_cannot_be_mapped(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", descriptors=(eventfd(1),))

        assert "evt#1 is of kind eventfd where memory file is needed" in only(talk, "VU-FD-06").message

    def test_memory_sealed_against_writing(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", descriptors=(memfd(seals=0x8),))

        assert "mem#1 is sealed against writing (seals 0x8)" in only(talk, "VU-FD-06").message

    def test_memory_open_for_reading_only(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", descriptors=(file("/dev/shm/ram", MIB)._replace(flags=0),))

        assert "mem#1 is open read-only" in only(talk, "VU-FD-06").message

    @pytest.mark.parametrize(
        ("descriptor", "flaw"),
        [
            (eventfd(1), "evt#1 is of kind eventfd"),
            (of_kind(DescriptorKind.SOCKET, "1", "socket:[1] dgram"), "sock#1 is a dgram socket"),
        ],
    )
    def test_a_back_end_channel_that_is_no_stream_socket(self, descriptor: Descriptor, flaw: str) -> None:
        talk = Conversation()
        talk.front_end("SET_BACKEND_REQ_FD", descriptors=(descriptor,))

        assert flaw in only(talk, "VU-FD-06").message

    def test_a_userfaultfd_that_is_none(self) -> None:
        talk = Conversation()
        talk.front_end("POSTCOPY_ADVISE")
        talk.back_end("POSTCOPY_ADVISE", descriptors=(memfd(),))

        assert only(talk, "VU-FD-06").blame is Blame.BACK_END

    def test_what_fits(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}, {}], descriptors=(memfd(), file("/dev/hugepages/ram", MIB)))
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(PIPE,))
        talk.front_end("SET_BACKEND_REQ_FD", descriptors=(STREAM,))
        talk.front_end("SET_DEVICE_STATE_FD", descriptors=(PIPE,))
        talk.back_end("VRING_HOST_NOTIFIER_MSG", Channel.BACKEND, descriptors=(of_kind(DescriptorKind.ANON, "vfio"),))

        assert found(talk, "VU-FD-06") == []

    def test_what_could_not_be_examined(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", descriptors=(Descriptor(DescriptorKind.UNKNOWN),))

        assert found(talk, "VU-FD-06") == []


class TestRemovalWithDescriptor:
    """VU-FD-07."""

    def test_with_a_descriptor(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", descriptors=(memfd(),))
        talk.front_end("REM_MEM_REG", descriptors=(memfd(),))

        finding = only(talk, "VU-FD-07")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.COMPAT, Blame.FRONT_END, 2)
        assert "REM_MEM_REG carries mem#1" in finding.message

    def test_without(self) -> None:
        talk = Conversation()
        talk.front_end("REM_MEM_REG")

        assert found(talk, "VU-FD-07") == []


class TestLeaks:
    """VU-FD-08."""

    def test_what_nobody_has_a_use_for(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),))
        talk.front_end("SET_VRING_CALL", index=0, descriptors=event_descriptors(3))
        talk.front_end("REM_MEM_REG", descriptors=(memfd(),))
        talk.close("front-end")

        finding = only(talk, "VU-FD-08")

        assert (finding.severity, finding.frame, finding.frames) == (Severity.INFO, 4, (2, 3))
        assert "of 5 descriptors passed on this connection, 3 were more" in finding.message

    def test_each_had_its_use(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),))
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(1),))
        talk.close("front-end")

        assert found(talk, "VU-FD-08") == []


class TestLate:
    """VU-FD-09."""

    def test_behind_the_first_byte(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),), marks=Mark.SPLIT | Mark.LATE_DESCRIPTORS)

        finding = only(talk, "VU-FD-09")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 1)
        assert "evt#1 of SET_VRING_KICK came behind the first byte" in finding.message

    def test_with_it(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),), marks=Mark.SPLIT)

        assert found(talk, "VU-FD-09") == []


class TestBeyondFile:
    """VU-FD-10."""

    def table(self, second_size: int) -> Conversation:
        talk = Conversation()
        talk.front_end(
            "SET_MEM_TABLE",
            regions=[{"size": MIB}, {"size": second_size, "mmap_offset": MIB}],
            descriptors=(memfd("a", 2 * MIB), memfd("b", 2 * MIB)),
        )
        return talk

    def test_a_region_that_goes_on_where_the_file_ends(self) -> None:
        finding = only(self.table(2 * MIB), "VU-FD-10")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 1)
        assert "SET_MEM_TABLE region 1 needs mem#2 from 0x100000 to 0x300000" in finding.message
        assert "the file ends at 0x200000" in finding.message

    def test_regions_up_to_the_end(self) -> None:
        assert found(self.table(MIB), "VU-FD-10") == []

    def test_memory_for_the_log_and_for_requests_in_flight(self) -> None:
        talk = Conversation()
        talk.front_end("SET_LOG_BASE", mmap_size=2 * MIB, descriptors=(memfd("log", MIB),))
        talk.front_end("GET_INFLIGHT_FD")
        talk.back_end("GET_INFLIGHT_FD", mmap_size=2 * MIB, descriptors=(memfd("inflight", MIB),))

        assert [(finding.frame, finding.blame) for finding in found(talk, "VU-FD-10")] == [
            (1, Blame.FRONT_END),
            (3, Blame.BACK_END),
        ]

    def test_a_mapping_that_the_back_end_asks_for(self) -> None:
        talk = Conversation()
        talk.back_end("SHMEM_MAP", Channel.BACKEND, fd_offset=MIB, len=4096, descriptors=(memfd("f", MIB),))

        assert "needs mem#1 from 0x100000 to 0x101000" in only(talk, "VU-FD-10").message

    def test_a_device_has_no_end(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", size=MIB, descriptors=(of_kind(DescriptorKind.DEVICE, "dax0.0"),))

        assert found(talk, "VU-FD-10") == []


class TestOneWayChannel:
    """VU-FD-11."""

    def test_a_pipe(self) -> None:
        talk = Conversation()
        talk.front_end("SET_BACKEND_REQ_FD", descriptors=(PIPE,))

        finding = only(talk, "VU-FD-11")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 1)
        assert "SET_BACKEND_REQ_FD passes pipe#1, a pipe" in finding.message

    def test_a_socket(self) -> None:
        talk = Conversation()
        talk.front_end("SET_BACKEND_REQ_FD", descriptors=(STREAM,))

        assert found(talk, "VU-FD-11") == []
