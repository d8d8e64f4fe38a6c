"""VU-INF and VU-DST: memory for requests in flight, and device state."""

from typing import Any

import pytest

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd, memfd, of_kind
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.host.descriptor import DescriptorKind
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.devices import device_by_name

PIPE = of_kind(DescriptorKind.PIPE, "1")
# Two rings of 128 entries.
SHAPE = {"num_queues": 2, "queue_size": 128}
NEEDED = 2 * (16 + 128 * 16)
MADE = {**SHAPE, "mmap_size": NEEDED}


def inflight(size: int = 8192, name: str = "inflight") -> dict[str, Any]:
    return {"descriptors": (memfd(name, size),)}


def kick(talk: Conversation, index: int) -> None:
    talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(index),))


def asked_and_made(**made: Any) -> Conversation:
    talk = opened("INFLIGHT_SHMFD")
    talk.front_end("GET_INFLIGHT_FD", **SHAPE)
    talk.back_end("GET_INFLIGHT_FD", **{**MADE, **inflight(), **made})
    return talk


class TestInflightMemory:
    """VU-INF-01."""

    def test_what_the_back_end_made_is_given_back(self) -> None:
        talk = asked_and_made()
        talk.front_end("SET_INFLIGHT_FD", **MADE, **inflight())

        assert found(talk, "VU-INF-01") == []

    def test_after_a_reconnection_it_is_given_back_without_being_asked_for(self) -> None:
        talk = opened("INFLIGHT_SHMFD")
        talk.front_end("SET_INFLIGHT_FD", **MADE, **inflight())

        assert found(talk, "VU-INF-01") == []

    def test_it_is_asked_for_only_after_it_was_given(self) -> None:
        talk = opened("INFLIGHT_SHMFD")
        talk.front_end("SET_INFLIGHT_FD", **MADE, **inflight())
        talk.front_end("GET_INFLIGHT_FD", **SHAPE)

        finding = only(talk, "VU-INF-01")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (9, (8,))

    def test_it_may_be_asked_for_again_after_the_device_ran(self) -> None:
        talk = opened("INFLIGHT_SHMFD")
        talk.front_end("SET_INFLIGHT_FD", **MADE, **inflight())
        kick(talk, 0)
        talk.front_end("GET_INFLIGHT_FD", **SHAPE)

        assert found(talk, "VU-INF-01") == []

    def test_too_small_for_the_rings(self) -> None:
        finding = only(asked_and_made(mmap_size=NEEDED - 1), "VU-INF-01")

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 9)
        assert "4127 bytes for 2 rings of 128, which need at least 4128" in finding.message

    def test_larger_than_its_file(self) -> None:
        finding = only(asked_and_made(**inflight(NEEDED - 1)), "VU-INF-01")

        assert "mem#1 is too small: 4128 bytes at offset 0 of a file of 4127" in finding.message

    def test_no_descriptor(self) -> None:
        assert "comes without a descriptor" in only(asked_and_made(descriptors=()), "VU-INF-01").message

    def test_a_back_end_may_decline(self) -> None:
        assert found(asked_and_made(mmap_size=0, descriptors=()), "VU-INF-01") == []

    def test_given_though_the_back_end_declined(self) -> None:
        talk = asked_and_made(mmap_size=0, descriptors=())
        talk.front_end("SET_INFLIGHT_FD", **MADE, **inflight())

        finding = only(talk, "VU-INF-01")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.FRONT_END, 10, (9,))
        assert "had declined" in finding.message

    @pytest.mark.parametrize(
        "given",
        [{**MADE, **inflight(name="other")}, {**MADE, **inflight(), "mmap_offset": 4096}],
        ids=["file", "offset"],
    )
    def test_something_else_is_given_back(self, given: dict[str, Any]) -> None:
        talk = asked_and_made()
        talk.front_end("SET_INFLIGHT_FD", **given)

        finding = only(talk, "VU-INF-01")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.FRONT_END, 10, (9,))
        assert "instead of mem#1, 4128 bytes at offset 0" in finding.message


class TestInflightRings:
    """VU-INF-02."""

    def test_more_rings_than_the_back_end_has(self) -> None:
        talk = opened("MQ", "INFLIGHT_SHMFD")
        talk.ask("GET_QUEUE_NUM", queues=1)
        talk.front_end("GET_INFLIGHT_FD", **SHAPE)

        finding = only(talk, "VU-INF-02", device=device_by_name("blk"))

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 10)
        assert "for 2 rings, but the back-end has 1" in finding.message

    def test_network_devices_count_pairs(self) -> None:
        talk = opened("MQ", "INFLIGHT_SHMFD")
        talk.ask("GET_QUEUE_NUM", queues=1)
        talk.front_end("GET_INFLIGHT_FD", **SHAPE)

        assert found(talk, "VU-INF-02", device=device_by_name("net")) == []

    def test_a_ring_beyond_what_was_given(self) -> None:
        talk = asked_and_made()
        talk.front_end("SET_INFLIGHT_FD", **MADE, **inflight())
        for index in (0, 1, 2):
            kick(talk, index)

        finding = only(talk, "VU-INF-02")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.FRONT_END, 13, (10,))
        assert "ring 2 is started, but the in-flight memory is for 2 rings" in finding.message

    def test_the_back_end_dies_of_rings_that_it_does_not_know(self) -> None:
        talk = asked_and_made()
        talk.front_end("SET_VRING_NUM", index=0, num=128)
        talk.front_end("SET_INFLIGHT_FD", **MADE, **inflight())
        talk.close("back-end")

        finding = only(talk, "VU-INF-02")

        assert (finding.blame, finding.frame, finding.frames) == (Blame.BOTH, 11, (12,))
        assert "no earlier message names ring 1" in finding.message

    def test_it_dies_of_something_else(self) -> None:
        talk = asked_and_made()
        for index in (0, 1):
            talk.front_end("SET_VRING_NUM", index=index, num=128)
        talk.front_end("SET_INFLIGHT_FD", **MADE, **inflight())
        talk.close("back-end")

        assert found(talk, "VU-INF-02") == []


class TestSlowStop:
    """VU-INF-03."""

    def stopped(self, after: int, *protocol_features: str) -> Conversation:
        talk = opened("MQ", *protocol_features)
        talk.front_end("GET_VRING_BASE", index=1)
        talk.back_end("GET_VRING_BASE", index=1, after=after)
        return talk

    def test_a_ring_takes_long_to_stop(self) -> None:
        finding = only(self.stopped(250 * MILLISECOND), "VU-INF-03")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.BACK_END, 9)
        assert finding.frames == (8,)
        assert "ring 1 took 250 ms to stop" in finding.message

    def test_a_ring_that_stops_as_usual(self) -> None:
        assert found(self.stopped(50 * MILLISECOND), "VU-INF-03") == []

    def of_dpdk(self, after: int) -> Conversation:
        talk = Conversation()
        talk.open("qemu-kvm", "dpdk-testpmd")
        talk.ask("GET_PROTOCOL_FEATURES", features=0)
        talk.front_end("SET_PROTOCOL_FEATURES", features=0)
        talk.front_end("GET_VRING_BASE", index=1)
        talk.back_end("GET_VRING_BASE", index=1, after=after)
        return talk

    def test_a_back_end_that_polls_leaves_the_ring_first(self) -> None:
        assert found(self.of_dpdk(800 * MILLISECOND), "VU-INF-03") == []

    def test_but_not_for_seconds(self) -> None:
        assert only(self.of_dpdk(1500 * MILLISECOND), "VU-INF-03").frame == 6

    def test_a_ring_that_has_not_moved_had_nothing_in_flight(self) -> None:
        talk = opened("MQ")
        talk.front_end("SET_VRING_BASE", index=1, num=7)
        talk.front_end("GET_VRING_BASE", index=1)
        talk.back_end("GET_VRING_BASE", index=1, num=7, after=250 * MILLISECOND)

        assert found(talk, "VU-INF-03") == []

    def test_with_the_feature_it_waits_for_something_else(self) -> None:
        talk = self.stopped(250 * MILLISECOND, "INFLIGHT_SHMFD", "GET_VRING_BASE_INFLIGHT")

        assert found(talk, "VU-INF-03") == []


class TestStateTransfer:
    """VU-DST-01."""

    def saved(self, talk: Conversation, **answer: Any) -> Conversation:
        talk.front_end("SET_DEVICE_STATE_FD", direction=0, descriptors=(PIPE,))
        talk.back_end("SET_DEVICE_STATE_FD", **(answer or {"nofd": 1}))
        return talk

    def test_while_rings_are_started(self) -> None:
        talk = opened("DEVICE_STATE")
        for index in (0, 1, 2):
            kick(talk, index)
        talk.ask("GET_VRING_BASE")

        finding = only(self.saved(talk), "VU-DST-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 13)
        assert finding.frames == (9, 10)
        assert "while rings are started (1, 2)" in finding.message

    def test_while_all_rings_are_stopped(self) -> None:
        talk = opened("DEVICE_STATE")
        kick(talk, 0)
        talk.ask("GET_VRING_BASE")

        assert found(self.saved(talk), "VU-DST-01") == []

    def test_an_error_with_a_descriptor(self) -> None:
        finding = only(self.saved(opened("DEVICE_STATE"), error=1, descriptors=(PIPE,)), "VU-DST-01")

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 9)
        assert "error 1, but carries pipe#1" in finding.message

    def test_an_error_without(self) -> None:
        assert found(self.saved(opened("DEVICE_STATE"), error=1, nofd=1), "VU-DST-01") == []

    def test_the_check_is_not_answered(self) -> None:
        talk = self.saved(opened("DEVICE_STATE"))
        talk.front_end("CHECK_DEVICE_STATE")
        talk.silence(2 * SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-DST-01")

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 10)
        assert "CHECK_DEVICE_STATE of #10 was never answered" in finding.message

    def test_the_check_is_answered(self) -> None:
        talk = self.saved(opened("DEVICE_STATE"))
        talk.ask("CHECK_DEVICE_STATE", result=0)
        talk.close("front-end")

        assert found(talk, "VU-DST-01") == []


class TestStateTransferParameters:
    """VU-DST-02."""

    def test_values_that_are_not_defined(self) -> None:
        talk = opened("DEVICE_STATE")
        talk.front_end("SET_DEVICE_STATE_FD", direction=2, phase=1, descriptors=(PIPE,))

        finding = only(talk, "VU-DST-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 8)
        assert "direction 2, phase 1" in finding.message

    def test_the_largest_that_are(self) -> None:
        talk = opened("DEVICE_STATE")
        talk.front_end("SET_DEVICE_STATE_FD", direction=1, phase=0, descriptors=(PIPE,))

        assert found(talk, "VU-DST-02") == []
