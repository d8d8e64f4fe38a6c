"""VU-TIM: what takes long, and what happens over and over."""

import pytest

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd, memfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.capture.record import Mark
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Channel

REPLY_ACK = PROTOCOL_FEATURES.mask("REPLY_ACK")


class TestSlowAnswer:
    """VU-TIM-01."""

    def answered_after(self, duration: int) -> Conversation:
        talk = opened("REPLY_ACK")
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),), need_reply=True)
        talk.silence(duration)
        talk.back_end("SET_MEM_TABLE", ack=0)
        return talk

    def test_an_answer_that_takes_seconds(self) -> None:
        finding = only(self.answered_after(3 * SECOND), "VU-TIM-01")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "SET_MEM_TABLE (#8) took the back-end 3.0 s" in finding.message

    def test_what_populating_memory_takes_is_usual(self) -> None:
        assert found(self.answered_after(900 * MILLISECOND), "VU-TIM-01") == []

    def asked(self, name: str, duration: int, back_end: str = "", **answer: int) -> Conversation:
        talk = Conversation()
        talk.open("qemu-kvm", back_end)
        talk.front_end(name, **({"index": 0} if "index" in answer else {}))
        talk.silence(duration)
        talk.back_end(name, **answer)
        return talk

    def test_a_start_that_takes_a_quarter_of_a_minute(self) -> None:
        finding = only(self.asked("GET_FEATURES", 16 * SECOND, features=0), "VU-TIM-01")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.BACK_END)
        assert "GET_FEATURES (#2) took the back-end 16.0 s; usual are up to 1.0 s" in finding.message

    def test_one_that_takes_a_while_is_worth_knowing(self) -> None:
        assert only(self.asked("GET_FEATURES", 4 * SECOND, features=0), "VU-TIM-01").severity is Severity.INFO

    def populated(self, back_end: str) -> Conversation:
        talk = Conversation()
        talk.open("qemu-kvm", back_end)
        talk.ask("GET_PROTOCOL_FEATURES", features=REPLY_ACK)
        talk.front_end("SET_PROTOCOL_FEATURES", features=REPLY_ACK)
        talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),), need_reply=True)
        talk.silence(4 * SECOND)
        talk.back_end("SET_MEM_TABLE", ack=0)
        return talk

    def test_what_hugepages_take_is_usual_of_dpdk(self) -> None:
        assert found(self.populated("dpdk-testpmd"), "VU-TIM-01") == []

    def test_and_late_of_others(self) -> None:
        assert only(self.populated("virtiofsd"), "VU-TIM-01").severity is Severity.INFO

    def test_a_ring_that_stops_slowly_is_for_another_rule(self) -> None:
        assert found(self.asked("GET_VRING_BASE", 20 * SECOND, index=0, num=3), "VU-TIM-01") == []

    def test_one_that_takes_longer_than_any_request(self) -> None:
        talk = self.asked("GET_VRING_BASE", 40 * SECOND, index=0, num=3)

        assert only(talk, "VU-TIM-01").severity is Severity.WARNING

    def test_a_frame_waits_for_its_display(self) -> None:
        talk = opened()
        talk.back_end("DMABUF_UPDATE", Channel.GPU)
        talk.silence(60 * SECOND)
        talk.front_end("DMABUF_UPDATE", Channel.GPU)

        assert found(talk, "VU-TIM-01") == []


class TestReconnectLoop:
    """VU-TIM-02."""

    def attempts(self, *pids: int, by: str = "back-end", pause: int = SECOND, started: bool = False) -> Conversation:
        talk = Conversation()
        for connection, pid in enumerate(pids, 1):
            talk.open("qemu", "disk", connection=connection, back_end_pid=pid)
            talk.front_end("GET_FEATURES", connection=connection)
            talk.back_end("GET_FEATURES", features=0, connection=connection)
            if started:
                talk.front_end("SET_VRING_KICK", index=0, nofd=1, connection=connection)
            talk.front_end("SET_OWNER", connection=connection)
            talk.front_end(
                "SET_MEM_TABLE",
                regions=[{}],
                descriptors=(memfd(),),
                connection=connection,
                marks=Mark.NOT_FORWARDED if by == "back-end" else 0,
            )
            talk.close(by, "reset", connection=connection)
            talk.silence(pause)
        return talk

    def test_three_connections_that_end_alike(self) -> None:
        finding = only(self.attempts(7, 7, 7, 7, 7), "VU-TIM-02")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (18, (6, 12))
        assert "3 connections within 2.0 s ended alike: the back-end closed the connection (reset)" in finding.message
        assert "after SET_OWNER (#16) and did not read SET_MEM_TABLE with mem#1 (#17)" in finding.message
        assert "the back-end keeps running (pid 7)" in finding.message

    def test_a_back_end_that_dies_each_time(self) -> None:
        assert "restarted each time (pids 7, 8, 9)" in only(self.attempts(7, 8, 9), "VU-TIM-02").message

    def test_a_front_end_that_gives_up_each_time(self) -> None:
        assert only(self.attempts(7, 7, 7, by="front-end"), "VU-TIM-02").blame is Blame.FRONT_END

    def test_a_front_end_that_comes_and_goes_after_its_work(self) -> None:
        assert found(self.attempts(7, 7, 7, by="front-end", started=True), "VU-TIM-02") == []

    def test_a_loop_is_told_once_however_long_it_goes_on(self) -> None:
        assert len(found(self.attempts(*[7] * 40), "VU-TIM-02")) == 1

    def test_twice_is_no_loop(self) -> None:
        assert found(self.attempts(7, 7), "VU-TIM-02") == []

    def test_nor_is_once_a_minute(self) -> None:
        assert found(self.attempts(7, 7, 7, 7, pause=60 * SECOND), "VU-TIM-02") == []

    def test_nor_are_different_ends(self) -> None:
        talk = Conversation()
        for connection, name in enumerate(("GET_FEATURES", "SET_OWNER", "GET_FEATURES", "SET_OWNER"), 1):
            talk.open(connection=connection)
            talk.front_end(name, connection=connection)
            talk.close("back-end", connection=connection)

        assert found(talk, "VU-TIM-02") == []


class TestLateEnable:
    """VU-TIM-03."""

    def started(self) -> Conversation:
        talk = opened()
        for ring in (0, 1):
            talk.front_end("SET_VRING_KICK", index=ring, descriptors=(eventfd(ring),))
        return talk

    def test_rings_are_enabled_long_after_they_were_started(self) -> None:
        talk = self.started()
        talk.silence(3 * SECOND)
        for ring in (0, 1):
            talk.front_end("SET_VRING_ENABLE", index=ring, num=1)

        finding = only(talk, "VU-TIM-03")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (10, (8,))
        assert "ring 0 is the first to be enabled, 3.0 s after ring 0 was started in #8" in finding.message

    def test_at_once_passes(self) -> None:
        talk = self.started()
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        assert found(talk, "VU-TIM-03") == []

    def test_further_queues_are_enabled_when_the_driver_wants_them(self) -> None:
        talk = self.started()
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)
        talk.silence(60 * SECOND)
        talk.front_end("SET_VRING_ENABLE", index=1, num=1)

        assert found(talk, "VU-TIM-03") == []

    def test_a_ring_that_was_enabled_before_it_was_started(self) -> None:
        talk = opened()
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(0),))
        talk.silence(60 * SECOND)
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        assert found(talk, "VU-TIM-03") == []


class TestSilence:
    """VU-TIM-04."""

    def test_what_was_said_last_on_each_channel(self) -> None:
        talk = opened("REPLY_ACK", "BACKEND_REQ", "CONFIG")
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND)
        talk.front_end("SET_VRING_NUM", index=0, num=8)
        talk.front_end("GET_VRING_BASE", index=0)
        talk.silence(60 * SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-TIM-04")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.UNKNOWN, 10)
        assert "silence for 60.0 s on every channel while GET_VRING_BASE (#10) waits" in finding.message
        assert "front-end SET_VRING_NUM ring 0 (#9), front-end GET_VRING_BASE ring 0 (#10)" in finding.message
        assert "on the backend channel back-end CONFIG_CHANGE_MSG (#8)" in finding.message

    @pytest.mark.parametrize("by", ["front-end", "back-end"])
    def test_who_leaves_at_once_was_not_silent(self, by: str) -> None:
        talk = opened()
        talk.front_end("GET_VRING_BASE", index=0)
        talk.close(by)

        assert found(talk, "VU-TIM-04") == []

    def test_nor_is_it_silent_while_the_other_channel_talks(self) -> None:
        talk = opened("REPLY_ACK", "BACKEND_REQ", "CONFIG")
        talk.front_end("GET_VRING_BASE", index=0)
        talk.silence(60 * SECOND)
        talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND)
        talk.close("front-end")

        assert found(talk, "VU-TIM-04") == []

    def test_a_window_may_be_hidden(self) -> None:
        talk = opened()
        talk.back_end("DMABUF_UPDATE", Channel.GPU)
        talk.silence(60 * SECOND)
        talk.close("front-end")

        assert found(talk, "VU-TIM-04") == []

    def test_silence_when_nothing_is_due_is_peace(self) -> None:
        talk = opened()
        talk.silence(60 * SECOND)
        talk.close("front-end")

        assert found(talk, "VU-TIM-04") == []
