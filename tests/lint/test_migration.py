"""VU-LOG and VU-PCP: migration by dirty log and by postcopy."""

import pytest

from tests.conversation import SECOND, Conversation, eventfd, memfd, of_kind
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.capture.record import Mark
from vudissect.host.descriptor import DescriptorKind
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.payloads import LOG_ADDRESS, MEM_REG_CONSUMED

LOGGING = ("PROTOCOL_FEATURES", "VERSION_1", "LOG_ALL")
GIB = 1 << 30
LOG_OF_A_GIB = GIB // 4096 // 8
LOG = memfd("vhost-log", 1 << 20)
LOGGED = 1


def table(talk: Conversation, size: int = GIB) -> None:
    talk.front_end("SET_MEM_TABLE", regions=[{"size": size}], descriptors=(memfd(),))


def ring(talk: Conversation, index: int = 0, flags: int = 0) -> None:
    talk.front_end("SET_VRING_ADDR", index=index, flags=flags)
    talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(index),))


def log(talk: Conversation, size: int = LOG_OF_A_GIB) -> None:
    talk.front_end("SET_LOG_BASE", mmap_size=size, descriptors=(LOG,))
    talk.back_end("SET_LOG_BASE", value=0)


class TestFormOfTheLog:
    """VU-LOG-01."""

    def test_an_address_where_a_descriptor_is_due(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        talk.front_end("SET_LOG_BASE", layout=LOG_ADDRESS, log_addr=0x1000)

        finding = only(talk, "VU-LOG-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert "8 bytes" in finding.message

    def test_no_descriptor(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        talk.front_end("SET_LOG_BASE", mmap_size=32768)

        assert "the log of 32768 bytes comes without a descriptor" in only(talk, "VU-LOG-01").message

    def test_a_descriptor_that_was_not_negotiated(self) -> None:
        talk = opened("MQ", features=LOGGING)
        talk.front_end("SET_LOG_BASE", mmap_size=32768, descriptors=(LOG,))

        assert "comes with mem#1, but LOG_SHMFD is not negotiated" in only(talk, "VU-LOG-01").message

    def test_a_descriptor_that_the_kernel_dropped_is_not_missed(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        talk.front_end("SET_LOG_BASE", mmap_size=32768, marks=Mark.DESCRIPTORS_LOST)

        assert found(talk, "VU-LOG-01") == []

    def test_both_forms_in_their_place(self) -> None:
        with_descriptor = opened("LOG_SHMFD", features=LOGGING)
        log(with_descriptor)
        without = opened("MQ", features=LOGGING)
        without.front_end("SET_LOG_BASE", mmap_size=32768)

        assert found(with_descriptor, "VU-LOG-01") == found(without, "VU-LOG-01") == []

    def test_nothing_is_said_where_the_negotiation_was_missed(self) -> None:
        talk = Conversation()
        talk.front_end("SET_LOG_BASE", mmap_size=32768, descriptors=(LOG,))

        assert found(talk, "VU-LOG-01") == []


class TestSizeOfTheLog:
    """VU-LOG-02."""

    def test_a_log_that_ends_before_memory_does(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        table(talk, GIB)
        log(talk, LOG_OF_A_GIB - 8)

        finding = only(talk, "VU-LOG-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 9)
        assert finding.frames == (8,)
        assert "the log has 32760 bytes; guest memory ends at 0x3fffffff and needs 32768" in finding.message

    def test_a_log_that_just_suffices(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        table(talk, GIB)
        log(talk, LOG_OF_A_GIB)

        assert found(talk, "VU-LOG-02") == []

    def test_memory_that_outgrows_the_log(self) -> None:
        talk = opened("LOG_SHMFD", "CONFIGURE_MEM_SLOTS", features=LOGGING)
        table(talk, GIB)
        log(talk, LOG_OF_A_GIB)
        talk.front_end("ADD_MEM_REG", guest_addr=4 * GIB, size=4096, descriptors=(memfd("more"),))

        finding = only(talk, "VU-LOG-02")

        assert (finding.frame, finding.frames) == (11, (9,))

    def test_memory_may_grow_when_nothing_is_logged(self) -> None:
        talk = opened("LOG_SHMFD", "CONFIGURE_MEM_SLOTS")
        table(talk, GIB)
        log(talk, LOG_OF_A_GIB)
        talk.front_end("ADD_MEM_REG", guest_addr=4 * GIB, size=4096, descriptors=(memfd("more"),))

        assert found(talk, "VU-LOG-02") == []


class TestLogOfRings:
    """VU-LOG-03."""

    def test_a_ring_that_ran_to_its_stop_without_being_logged(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        ring(talk, 3)
        log(talk)
        talk.front_end("GET_VRING_BASE", index=3)

        finding = only(talk, "VU-LOG-03")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 12)
        assert finding.frames == (8, 10)
        assert "ring 3 ran while LOG_ALL was on, but its addresses (#8) lack the LOG flag" in finding.message

    def test_a_ring_that_runs_to_the_end(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        ring(talk)
        log(talk)
        talk.close("front-end")

        assert only(talk, "VU-LOG-03").frame == 12

    def test_addresses_told_again_with_the_flag(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        ring(talk)
        log(talk)
        talk.front_end("SET_VRING_ADDR", index=0, flags=LOGGED)
        talk.front_end("GET_VRING_BASE", index=0)

        assert found(talk, "VU-LOG-03") == []

    def test_logging_that_was_given_up_before_the_stop(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        ring(talk)
        log(talk)
        talk.front_end("SET_FEATURES", features=0)
        talk.front_end("GET_VRING_BASE", index=0)

        assert found(talk, "VU-LOG-03") == []

    def test_a_ring_that_was_stopped_before(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        ring(talk)
        talk.front_end("GET_VRING_BASE", index=0)
        log(talk)
        talk.front_end("GET_VRING_BASE", index=0)
        talk.close("front-end")

        assert found(talk, "VU-LOG-03") == []


class TestLogInForce:
    """VU-LOG-04."""

    def test_a_ring_is_started_before_the_log_is_acknowledged(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        talk.front_end("SET_LOG_BASE", mmap_size=LOG_OF_A_GIB, descriptors=(LOG,))
        talk.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd(1),))

        finding = only(talk, "VU-LOG-04")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "SET_VRING_KICK of ring 1" in finding.message

    def test_a_ring_is_started_after_that(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        log(talk)
        ring(talk)

        assert found(talk, "VU-LOG-04") == []

    def test_a_log_that_is_not_answered_does_not_hold_rings_up(self) -> None:
        talk = opened("MQ", features=LOGGING)
        talk.front_end("SET_LOG_BASE", mmap_size=LOG_OF_A_GIB)
        ring(talk)

        assert found(talk, "VU-LOG-04") == []


class TestMigrationByLogOnly:
    """VU-LOG-05."""

    def migrated(self, *protocol_features: str) -> Conversation:
        talk = opened("LOG_SHMFD", *protocol_features, features=LOGGING)
        ring(talk)
        log(talk)
        talk.ask("GET_VRING_BASE")
        return talk

    def test_no_state_moves(self) -> None:
        talk = self.migrated()
        talk.close("front-end")

        finding = only(talk, "VU-LOG-05")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.UNKNOWN)
        assert (finding.frame, finding.frames) == (12, (10,))
        assert "DEVICE_STATE is not negotiated" in finding.message

    def test_state_moves_after_the_rings_are_stopped(self) -> None:
        talk = self.migrated("DEVICE_STATE")
        talk.front_end("SET_DEVICE_STATE_FD", descriptors=(of_kind(DescriptorKind.PIPE, "1"),))
        talk.close("front-end")

        assert found(talk, "VU-LOG-05") == []

    def test_rings_that_go_on_are_not_migrated(self) -> None:
        talk = opened("LOG_SHMFD", features=LOGGING)
        ring(talk, 0)
        ring(talk, 1)
        log(talk)
        talk.ask("GET_VRING_BASE")
        talk.close("front-end")

        assert found(talk, "VU-LOG-05") == []


def listening(*protocol_features: str) -> Conversation:
    """Eleven records: memory is answered from here on."""
    talk = opened("PAGEFAULT", *protocol_features)
    talk.ask("POSTCOPY_ADVISE", descriptors=(of_kind(DescriptorKind.USERFAULTFD, "1"),))
    talk.front_end("POSTCOPY_LISTEN", need_reply=True)
    talk.back_end("POSTCOPY_LISTEN", ack=0)
    return talk


class TestOrderOfPostcopy:
    """VU-PCP-01."""

    def test_listening_without_advice(self) -> None:
        talk = opened("PAGEFAULT")
        talk.front_end("POSTCOPY_LISTEN")

        finding = only(talk, "VU-PCP-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)

    def test_advice_that_may_have_been_missed(self) -> None:
        talk = Conversation()
        talk.front_end("POSTCOPY_LISTEN")

        assert found(talk, "VU-PCP-01") == []

    def test_an_acknowledgement_in_place_of_the_table(self) -> None:
        talk = listening()
        table(talk)
        talk.back_end("SET_MEM_TABLE", ack=0)

        finding = only(talk, "VU-PCP-01")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BACK_END, 13, (12,))

    def test_a_table_that_is_never_answered(self) -> None:
        talk = listening()
        table(talk)
        talk.silence(2 * SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-PCP-01")

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 12)
        assert "SET_MEM_TABLE of #12 was never answered" in finding.message

    def test_a_front_end_that_does_not_wait(self) -> None:
        talk = listening()
        table(talk)
        talk.close("front-end")

        assert found(talk, "VU-PCP-01") == []

    def test_a_complete_exchange(self) -> None:
        talk = listening()
        table(talk)
        talk.back_end("SET_MEM_TABLE", regions=[{"size": GIB}])
        talk.front_end("SET_MEM_TABLE")
        talk.silence(2 * SECOND)
        talk.close("front-end")

        assert found(talk, "VU-PCP-01") == []


class TestNeedReplyInPostcopy:
    """VU-PCP-02."""

    def test_a_table_that_asks_for_an_acknowledgement_too(self) -> None:
        talk = listening("REPLY_ACK")
        talk.front_end("SET_MEM_TABLE", regions=[{"size": GIB}], descriptors=(memfd(),), need_reply=True)

        finding = only(talk, "VU-PCP-02")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (12, (10,))
        assert "SET_MEM_TABLE asks for an acknowledgement (NEED_REPLY)" in finding.message

    def test_a_region_that_does(self) -> None:
        talk = listening("REPLY_ACK", "CONFIGURE_MEM_SLOTS")
        talk.front_end("ADD_MEM_REG", size=GIB, descriptors=(memfd(),), need_reply=True)

        assert "ADD_MEM_REG asks" in only(talk, "VU-PCP-02").message

    @pytest.mark.parametrize("need_reply", [False, True])
    def test_the_message_that_ends_the_exchange_is_no_table(self, need_reply: bool) -> None:
        talk = listening("REPLY_ACK", "CONFIGURE_MEM_SLOTS")
        talk.front_end("SET_MEM_TABLE", need_reply=need_reply)
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED, need_reply=need_reply)

        assert found(talk, "VU-PCP-02") == []

    def test_a_table_before_postcopy_listens(self) -> None:
        talk = opened("PAGEFAULT", "REPLY_ACK")
        talk.ask("POSTCOPY_ADVISE", descriptors=(of_kind(DescriptorKind.USERFAULTFD, "1"),))
        talk.front_end("SET_MEM_TABLE", regions=[{"size": GIB}], descriptors=(memfd(),), need_reply=True)

        assert found(talk, "VU-PCP-02") == []


class TestEndOfTheExchange:
    """VU-PCP-03."""

    def exchanged(self) -> Conversation:
        talk = listening("CONFIGURE_MEM_SLOTS")
        talk.front_end("ADD_MEM_REG", size=GIB, descriptors=(memfd(),))
        talk.back_end("ADD_MEM_REG", size=GIB)
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED)
        talk.front_end("GET_VRING_BASE")
        return talk

    def test_the_back_end_leaves_over_it(self) -> None:
        talk = self.exchanged()
        talk.close("back-end")

        finding = only(talk, "VU-PCP-03")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (16, (14,))

    def test_the_back_end_takes_it_and_leaves_later(self) -> None:
        talk = self.exchanged()
        talk.back_end("GET_VRING_BASE")
        talk.close("back-end")

        assert found(talk, "VU-PCP-03") == []


class TestEndOfPostcopy:
    """VU-PCP-04."""

    def test_it_is_not_answered(self) -> None:
        talk = listening()
        talk.front_end("POSTCOPY_END")

        finding = only(talk, "VU-PCP-04")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 12)
        assert "POSTCOPY_END of #12 (without NEED_REPLY) was never answered" in finding.message

    def test_it_is_answered(self) -> None:
        talk = listening()
        talk.ask("POSTCOPY_END", result=0)

        assert found(talk, "VU-PCP-04") == []
