"""VU-VRG: what single messages say of a ring."""

from typing import Any

import pytest

from tests.conversation import Conversation, eventfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol import payloads
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.model import Channel
from vudissect.protocol.table import UPSTREAM

RULES = [rule.id for rule in ALL_RULES if rule.id.startswith("VU-VRG-")]
NAMING_A_RING = (
    payloads.VRING_STATE,
    payloads.VRING_BASE,
    payloads.VRING_ENABLE,
    payloads.VRING_ADDR,
    payloads.VRING_FD,
)
NAMES = [row.name for row in UPSTREAM.channel(Channel.MAIN) if row.request[0] in NAMING_A_RING]
PACKED = ("PROTOCOL_FEATURES", "RING_PACKED")
WRAP = 0x8000


def kick(talk: Conversation, index: int = 0, number: int = 1) -> None:
    talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(number),))


def stop(talk: Conversation, num: int, index: int = 0) -> None:
    talk.front_end("GET_VRING_BASE", index=index)
    talk.back_end("GET_VRING_BASE", index=index, num=num)


@pytest.mark.parametrize("name", NAMES)
def test_a_message_that_fits_no_layout_says_nothing_of_a_ring(name: str) -> None:
    talk = opened("MQ", "INBAND_NOTIFICATIONS")
    talk.ask("GET_QUEUE_NUM", queues=1)
    talk.front_end(name, payload=bytes(13))
    talk.close("back-end")

    assert found(talk, *RULES) == []


def test_of_more_rings_than_are_kept_nothing_is_said() -> None:
    talk = opened()
    for index in range(1024):
        talk.front_end("SET_VRING_NUM", index=index, num=1)
    talk.front_end("SET_VRING_ADDR", index=5000, desc=1, avail=1, used=1)
    talk.front_end("SET_VRING_BASE", index=5000, num=7)
    talk.front_end("SET_VRING_ENABLE", index=5000, num=1)
    stop(talk, 0, index=5000)

    assert found(talk, *RULES) == []


class TestIndex:
    """VU-VRG-01."""

    def used(self, told: int, *indexes: int, end: bool = False) -> Conversation:
        talk = opened("MQ")
        talk.ask("GET_QUEUE_NUM", queues=told)
        for index in indexes:
            talk.front_end("SET_VRING_CALL", index=index, descriptors=(eventfd(index),))
        if end:
            talk.close("front-end")
        return talk

    def test_a_ring_too_many(self) -> None:
        finding = only(self.used(2, 0, 1, 2), "VU-VRG-01", device=device_by_name("blk"))

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 12)
        assert finding.message == "ring 2 is used, but the back-end announced 2 queues"

    def test_the_last_ring(self) -> None:
        assert found(self.used(2, 0, 1), "VU-VRG-01", device=device_by_name("blk")) == []

    def test_a_network_device_counts_pairs(self) -> None:
        assert found(self.used(1, 0, 1), "VU-VRG-01", device=device_by_name("net")) == []

    def test_more_than_the_pairs_and_a_control_ring(self) -> None:
        assert only(self.used(1, 0, 1, 2, 3), "VU-VRG-01", device=device_by_name("net")).frame == 13

    def test_fewer_queues_than_every_device_of_the_type_has(self) -> None:
        finding = only(self.used(2, 0, 1, 2), "VU-VRG-01", device=device_by_name("vsock"))

        assert (finding.blame, finding.frame) == (Blame.BACK_END, 12)
        assert (
            "a vsock device has 3 queues (rx, tx, event), but the back-end announced 2; ring 2 is used"
            in finding.message
        )

    def test_more_than_every_device_of_the_type_has(self) -> None:
        finding = only(self.used(2, 0, 1, 3), "VU-VRG-01", device=device_by_name("vsock"))

        assert (finding.blame, finding.frame) == (Blame.FRONT_END, 12)

    def test_rings_of_an_unknown_device_that_make_no_pairs(self) -> None:
        finding = only(self.used(2, 0, 1, 2, end=True), "VU-VRG-01")

        assert (finding.blame, finding.frame) == (Blame.FRONT_END, 12)

    def test_rings_of_an_unknown_device_that_may_be_pairs(self) -> None:
        assert found(self.used(2, 0, 1, 2, 3, end=True), "VU-VRG-01") == []

    def test_the_number_may_have_been_told_before_the_capture(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_NUM", index=200, num=1)

        assert found(talk, "VU-VRG-01") == []


class TestSize:
    """VU-VRG-02."""

    def sized(self, num: int, talk: Conversation) -> Conversation:
        talk.front_end("SET_VRING_NUM", index=1, num=num)
        return talk

    @pytest.mark.parametrize("num", [0, 32769])
    def test_impossible_sizes(self, num: int) -> None:
        finding = only(self.sized(num, opened()), "VU-VRG-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert f"ring 1 has {num} entries, but only 1 to 32768 are valid" in finding.message

    def test_a_split_ring_of_an_odd_size(self) -> None:
        assert "ring 1 has 100 entries" in only(self.sized(100, opened()), "VU-VRG-02").message

    @pytest.mark.parametrize("num", [1, 32768])
    def test_powers_of_two(self, num: int) -> None:
        assert found(self.sized(num, opened()), "VU-VRG-02") == []

    def test_a_packed_ring_of_any_size(self) -> None:
        assert found(self.sized(100, opened(features=PACKED)), "VU-VRG-02") == []

    def test_a_ring_that_may_be_packed(self) -> None:
        assert found(self.sized(100, Conversation()), "VU-VRG-02") == []


class TestEnableValue:
    """VU-VRG-03."""

    def test_a_value_that_is_not_defined(self) -> None:
        talk = opened()
        talk.front_end("SET_VRING_ENABLE", index=1, num=7)

        finding = only(talk, "VU-VRG-03")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert "ring 1 is enabled with 7" in finding.message

    @pytest.mark.parametrize("num", [0, 1])
    def test_values_that_are(self, num: int) -> None:
        talk = opened()
        talk.front_end("SET_VRING_ENABLE", index=1, num=num)

        assert found(talk, "VU-VRG-03") == []


class TestConfiguredBeforeStart:
    """VU-VRG-04."""

    PARTS: tuple[tuple[str, dict[str, Any]], ...] = (
        ("SET_VRING_NUM", {"num": 1}),
        ("SET_VRING_ADDR", {}),
        ("SET_VRING_BASE", {}),
    )

    def start(self, talk: Conversation, without: str = "") -> Conversation:
        for name, fields in self.PARTS:
            if name != without:
                talk.front_end(name, index=0, **fields)
        kick(talk)
        return talk

    @pytest.mark.parametrize(
        ("without", "missing"), [("SET_VRING_NUM", "size"), ("SET_VRING_ADDR", "addresses"), ("SET_VRING_BASE", "base")]
    )
    def test_something_is_missing(self, without: str, missing: str) -> None:
        finding = only(self.start(opened(), without), "VU-VRG-04")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 10)
        assert finding.message == f"ring 0 is started without its {missing}"

    def test_nothing_is_missing(self) -> None:
        assert found(self.start(opened()), "VU-VRG-04") == []

    def test_what_is_missing_may_have_come_before_the_capture(self) -> None:
        assert found(self.start(Conversation(), "SET_VRING_ADDR"), "VU-VRG-04") == []


class TestSplitBase:
    """VU-VRG-06."""

    def test_more_than_an_index(self) -> None:
        talk = opened()
        talk.front_end("SET_VRING_BASE", index=0, num=0x10005)

        finding = only(talk, "VU-VRG-06")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 8)
        assert "its base 0x10005 has more than 16 bits" in finding.message

    def test_handed_back_as_the_back_end_gave_it(self) -> None:
        talk = opened()
        stop(talk, 0x10005)
        talk.front_end("SET_VRING_BASE", index=0, num=0x10005)

        finding = only(talk, "VU-VRG-06")

        assert finding.blame is Blame.BACK_END
        assert "as the back-end answered" in finding.message

    def test_the_largest_index(self) -> None:
        talk = opened()
        talk.front_end("SET_VRING_BASE", index=0, num=0xFFFF)

        assert found(talk, "VU-VRG-06") == []

    def test_a_packed_ring(self) -> None:
        talk = opened(features=PACKED)
        talk.front_end("SET_VRING_BASE", index=0, num=0x10005)

        assert found(talk, "VU-VRG-06") == []


class TestBaseGoesOn:
    """VU-VRG-07."""

    def resumed(self, stopped_at: int, base: int, features: tuple[str, ...] = PACKED) -> Conversation:
        talk = opened(features=features)
        stop(talk, stopped_at)
        talk.front_end("SET_VRING_BASE", index=0, num=base)
        return talk

    def test_the_upper_half_is_dropped(self) -> None:
        finding = only(self.resumed((77 | WRAP) << 16 | 81 | WRAP, 81 | WRAP), "VU-VRG-07")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (10, (9,))
        assert "stopped at avail 81 wrap 1 used 77 wrap 1" in finding.message
        assert "continues at avail 81 wrap 1 used 0 wrap 0" in finding.message

    def test_the_upper_half_was_left_out_by_the_back_end(self) -> None:
        finding = only(self.resumed(81 | WRAP, (81 | WRAP) << 16 | 81 | WRAP), "VU-VRG-07")

        assert finding.blame is Blame.BACK_END
        assert "the back-end did not report its used index" in finding.message

    def test_both_halves_are_handed_back(self) -> None:
        assert found(self.resumed(77 << 16 | 81 | WRAP, 77 << 16 | 81 | WRAP), "VU-VRG-07") == []

    @pytest.mark.parametrize("base", [0, WRAP, WRAP << 16 | WRAP])
    def test_a_driver_that_begins_anew(self, base: int) -> None:
        assert found(self.resumed(77 << 16 | 81, base), "VU-VRG-07") == []

    def test_a_split_ring_goes_on_elsewhere(self) -> None:
        finding = only(self.resumed(0, 273, ("PROTOCOL_FEATURES",)), "VU-VRG-07")

        assert finding.message == "ring 0 stopped at 0, but continues at 273"

    def test_where_it_stopped_was_never_told(self) -> None:
        talk = opened(features=PACKED)
        talk.front_end("SET_VRING_BASE", index=0, num=77 << 16 | 81)

        assert found(talk, "VU-VRG-07") == []


class TestAskedBase:
    """VU-VRG-08."""

    @pytest.mark.parametrize(("num", "frames"), [(5, [8]), (0, [])])
    def test_the_question_holds_a_number(self, num: int, frames: list[int]) -> None:
        talk = opened()
        talk.front_end("GET_VRING_BASE", index=0, num=num)

        assert [finding.frame for finding in found(talk, "VU-VRG-08")] == frames

    def test_the_number_is_told(self) -> None:
        talk = opened()
        talk.front_end("GET_VRING_BASE", index=2, num=5)

        finding = only(talk, "VU-VRG-08")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert "GET_VRING_BASE of ring 2 has num 5" in finding.message

    def test_virtio_user_is_known_not_to_set_it(self) -> None:
        talk = opened(front_end="dpdk-testpmd")
        talk.front_end("GET_VRING_BASE", index=0, num=21929)

        finding = only(talk, "VU-VRG-08")

        assert finding.severity is Severity.COMPAT
        assert "virtio_user does not set it" in finding.message


class TestLostBase:
    """VU-VRG-11."""

    def run(self, base: int, stopped_at: int, *, started: bool = True) -> Conversation:
        talk = opened()
        talk.front_end("SET_VRING_BASE", index=0, num=base)
        if started:
            kick(talk)
        stop(talk, stopped_at)
        return talk

    def test_the_answer_is_0(self) -> None:
        finding = only(self.run(417, 0), "VU-VRG-11")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (11, (8,))
        assert "ring 0 started at 417 and is reported to have stopped at 0" in finding.message

    @pytest.mark.parametrize(("base", "stopped_at"), [(417, 417), (0, 0), (417, 5)])
    def test_the_answer_may_be_right(self, base: int, stopped_at: int) -> None:
        assert found(self.run(base, stopped_at), "VU-VRG-11") == []

    def test_a_ring_that_never_started(self) -> None:
        assert found(self.run(417, 0, started=False), "VU-VRG-11") == []


class TestSharedKick:
    """VU-VRG-13."""

    def test_two_rings_with_one_kick_descriptor(self) -> None:
        talk = opened()
        kick(talk, 0, 1)
        kick(talk, 1, 1)

        finding = only(talk, "VU-VRG-13")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (9, (8,))
        assert "rings 0 and 1 share the kick descriptor evt#1" in finding.message

    def test_two_rings_with_two(self) -> None:
        talk = opened()
        kick(talk, 0, 1)
        kick(talk, 1, 2)

        assert found(talk, "VU-VRG-13") == []

    def test_two_rings_without_any(self) -> None:
        talk = opened()
        for index in (0, 1):
            talk.front_end("SET_VRING_KICK", index=index, nofd=1)

        assert found(talk, "VU-VRG-13") == []

    def test_one_that_another_ring_had_before(self) -> None:
        talk = opened()
        kick(talk, 0, 1)
        stop(talk, 0)
        kick(talk, 1, 1)

        assert found(talk, "VU-VRG-13") == []


class TestInBand:
    """VU-VRG-14."""

    def test_a_kick_by_message(self) -> None:
        talk = opened()
        talk.front_end("VRING_KICK", index=1)

        finding = only(talk, "VU-VRG-14")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 8)
        assert "VRING_KICK is sent for ring 1, but INBAND_NOTIFICATIONS is not negotiated" in finding.message

    def test_a_call_by_message(self) -> None:
        talk = opened("BACKEND_REQ")
        talk.back_end("VRING_CALL", Channel.BACKEND, index=1)

        assert only(talk, "VU-VRG-14").blame is Blame.BACK_END

    def test_negotiated(self) -> None:
        talk = opened("INBAND_NOTIFICATIONS")
        talk.front_end("VRING_KICK", index=1)

        assert found(talk, "VU-VRG-14") == []


class TestBeforeFeatures:
    """VU-VRG-15."""

    def called(self) -> Conversation:
        talk = Conversation()
        talk.open()
        talk.ask("GET_FEATURES", features=0)
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(1),))
        return talk

    def test_the_back_end_leaves(self) -> None:
        talk = self.called()
        talk.close("back-end")

        finding = only(talk, "VU-VRG-15")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.BACK_END, 4)
        assert "closed the connection after SET_VRING_CALL of ring 0" in finding.message

    def test_the_front_end_leaves(self) -> None:
        talk = self.called()
        talk.close("front-end")

        assert found(talk, "VU-VRG-15") == []

    def test_the_back_end_leaves_later(self) -> None:
        talk = self.called()
        talk.front_end("SET_FEATURES", features=0)
        talk.close("back-end")

        assert found(talk, "VU-VRG-15") == []

    def test_the_features_may_have_come_before_the_capture(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(1),))
        talk.close("back-end")

        assert found(talk, "VU-VRG-15") == []
