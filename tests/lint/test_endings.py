"""VU-END: connections that end in the middle of things."""

from typing import Any

import pytest

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd
from tests.lint import found
from tests.lint.opening import opened
from vudissect.capture.observation import Observation
from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel

WORD = VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES")


def only(talk: Conversation, rule: str) -> Finding:
    (finding,) = found(talk, rule)
    return finding


class TestLeftWhileRunning:
    """VU-END-01."""

    def running(self) -> Conversation:
        talk = opened()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick"),))
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)
        return talk

    def test_the_back_end_leaves(self) -> None:
        talk = self.running()
        talk.silence(40 * SECOND)
        talk.close("back-end", "reset")

        finding = only(talk, "VU-END-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.BACK_END, 10)
        assert "closed the connection (reset) while ring 0 was running" in finding.message
        assert "the last message it received is SET_VRING_ENABLE ring 0 (#9), 40.0 s earlier" in finding.message

    def pending(self, **seen: Any) -> str:
        """What is reported of a ring that was last seen like this, 2 ms before the end."""
        talk = self.running()
        talk.event(RecordKind.RING_OBSERVED, Channel.MAIN, 1, MILLISECOND, **Observation(0, **seen).details)
        talk.close("back-end", after=2 * MILLISECOND)
        (finding,) = found(talk, "VU-END-01", device=device_by_name("blk"))
        return finding.message

    def test_requests_are_pending(self) -> None:
        message = self.pending(avail=36, used=34, pending=2, waited=3 * MILLISECOND, request="request 34: flush")

        pending = "; 2 ms earlier 2 requests were pending in ring 0, for 3 ms, the oldest of them request 34: flush: it"
        assert pending in message

    def test_a_request_is_pending_of_which_nothing_more_is_known(self) -> None:
        message = self.pending(avail=35, used=34, pending=1)

        assert "; 2 ms earlier 1 request was pending in ring 0, for 0 ms: it crashed" in message

    def test_all_requests_are_completed(self) -> None:
        assert "pending" not in self.pending(avail=35, used=35, pending=0)

    @pytest.mark.parametrize("by", ["front-end", "proxy"])
    def test_somebody_else_leaves(self, by: str) -> None:
        talk = self.running()
        talk.close(by)

        assert found(talk, "VU-END-01") == []

    def test_the_ring_was_stopped_before(self) -> None:
        talk = self.running()
        talk.ask("GET_VRING_BASE", index=0, num=3)
        talk.close("back-end")

        assert found(talk, "VU-END-01") == []

    def test_an_answer_is_owed(self) -> None:
        talk = self.running()
        talk.front_end("GET_VRING_BASE", index=0)
        talk.close("back-end")

        assert [finding.rule for finding in found(talk, "VU-END-01", "VU-RPL-08")] == ["VU-RPL-08"]

    def test_a_message_found_nobody(self) -> None:
        talk = self.running()
        talk.front_end("SET_VRING_ENABLE", index=0, num=0, marks=Mark.NOT_FORWARDED)
        talk.close("back-end")

        assert [finding.rule for finding in found(talk, "VU-END-01", "VU-RPL-08")] == ["VU-RPL-08"]


class TestLeftAfterAnswer:
    """VU-END-02."""

    def offered(self, word: int) -> Conversation:
        talk = Conversation()
        talk.open()
        talk.ask("GET_FEATURES", features=WORD)
        talk.ask("GET_PROTOCOL_FEATURES", features=word)
        return talk

    def test_the_newest_bit_of_the_offer_is_named(self) -> None:
        talk = self.offered(PROTOCOL_FEATURES.mask("MQ", "DEVICE_STATE", "STATUS"))
        talk.close("front-end")

        finding = only(talk, "VU-END-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 5)
        assert "after the answer GET_PROTOCOL_FEATURES (#5), before the device was set up" in finding.message
        assert "DEVICE_STATE (bit 19, since QEMU 8.2) is the newest bit" in finding.message

    def test_a_bit_that_nobody_knows_is_named(self) -> None:
        talk = self.offered(PROTOCOL_FEATURES.mask("MQ") | 1 << 60)
        talk.close("front-end")

        assert "bit 60 is an unknown bit" in only(talk, "VU-END-02").message

    def test_it_thinks_for_a_while(self) -> None:
        talk = self.offered(PROTOCOL_FEATURES.mask("MQ"))
        talk.silence(2 * SECOND)
        talk.close("front-end")

        assert found(talk, "VU-END-02") == []

    def test_the_features_are_acknowledged_already(self) -> None:
        talk = opened("MQ")
        talk.ask("GET_QUEUE_NUM", queues=1)
        talk.close("front-end")

        assert found(talk, "VU-END-02") == []

    def test_the_back_end_leaves(self) -> None:
        talk = self.offered(PROTOCOL_FEATURES.mask("MQ"))
        talk.close("back-end")

        assert found(talk, "VU-END-02") == []
