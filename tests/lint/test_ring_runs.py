"""VU-VRG-09, -10, -18, -19: how rings are started, used and stopped over several messages."""

from tests.conversation import SECOND, Conversation, eventfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.devices import device_by_name

BY_RULE = ("VERSION_1",)
SPLIT = ("VERSION_1", "PROTOCOL_FEATURES")
PACKED = (*SPLIT, "RING_PACKED")


def set_up(talk: Conversation, index: int = 0, base: int = 0) -> None:
    talk.front_end("SET_VRING_NUM", index=index, num=128)
    talk.front_end("SET_VRING_BASE", index=index, num=base)
    talk.front_end("SET_VRING_ADDR", index=index)


def kick(talk: Conversation, index: int = 0) -> None:
    talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(f"kick{index}"),))


def enable(talk: Conversation, index: int = 0, num: int = 1) -> None:
    talk.front_end("SET_VRING_ENABLE", index=index, num=num)


def stop(talk: Conversation, index: int = 0, num: int = 0) -> None:
    talk.front_end("GET_VRING_BASE", index=index)
    talk.back_end("GET_VRING_BASE", index=index, num=num)


def run(talk: Conversation, *stops: int, base: int = 0, seconds: int = 2) -> Conversation:
    """As many rings are started and stopped as there are places where they stop."""
    for index in range(len(stops)):
        set_up(talk, index, base)
        kick(talk, index)
        enable(talk, index)
    talk.silence(seconds * SECOND)
    for index, num in enumerate(stops):
        stop(talk, index, num)
    return talk


def disk(features: tuple[str, ...]) -> Conversation:
    """The connection of a disk whose ring 0 has a call descriptor."""
    talk = opened(features=features, back_end="qemu-storage-da")
    talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd("call"),))
    return talk


class TestNeverEnabled:
    """VU-VRG-09: a ring that is started is also enabled."""

    def started(self, talk: Conversation, *enabled: tuple[int, int], seconds: int = 2) -> Conversation:
        for index in (0, 1):
            kick(talk, index)
        for index, num in enabled:
            enable(talk, index, num)
        talk.silence(seconds * SECOND)
        talk.close("front-end")
        return talk

    def test_until_the_end(self) -> None:
        finding = only(self.started(opened(), (0, 1)), "VU-VRG-09")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 9)
        assert "ring 1 started, but not enabled within 2.0 s" in finding.message

    def test_until_it_is_stopped(self) -> None:
        talk = opened()
        kick(talk)
        talk.silence(2 * SECOND)
        stop(talk)

        assert (only(talk, "VU-VRG-09").frame, only(talk, "VU-VRG-09").blame) == (8, Blame.FRONT_END)

    def test_several_are_one_fault(self) -> None:
        talk = opened()
        for index in (0, 1):
            kick(talk, index)
        talk.silence(2 * SECOND)
        for index in (0, 1):
            stop(talk, index)

        finding = only(talk, "VU-VRG-09")

        assert (finding.frame, finding.frames) == (8, (9,))
        assert "rings 0, 1 started, but not enabled within 2.0 s" in finding.message

    def test_disabled_on_purpose(self) -> None:
        assert found(self.started(opened(), (0, 1), (1, 0)), "VU-VRG-09") == []

    def test_an_end_right_after_the_start(self) -> None:
        assert found(self.started(opened(), seconds=0), "VU-VRG-09") == []

    def test_enabled_by_rule(self) -> None:
        assert found(self.started(opened(features=BY_RULE)), "VU-VRG-09") == []

    def test_in_mid_session(self) -> None:
        talk = Conversation()
        talk.front_end("SET_FEATURES", features=1 << 30)

        assert found(self.started(talk), "VU-VRG-09") == []


class TestNothingTaken:
    """VU-VRG-09: the back-end takes what is in a ring that runs."""

    def test_rings_that_are_enabled_by_rule_stop_where_they_began(self) -> None:
        talk = opened(features=BY_RULE)
        for index in (0, 1):
            set_up(talk, index)
            kick(talk, index)
        talk.silence(120 * SECOND)
        for index in (0, 1):
            stop(talk, index)

        finding = only(talk, "VU-VRG-09")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (11, (19,))
        assert "the back-end took nothing from rings 0, 1 in 120 s" in finding.message
        assert "without PROTOCOL_FEATURES a started ring is enabled" in finding.message

    def test_one_of_them_moves(self) -> None:
        assert found(run(opened(features=BY_RULE), 0, 5), "VU-VRG-09") == []

    def test_they_run_only_for_a_moment(self) -> None:
        assert found(run(opened(features=BY_RULE), 0, 0, seconds=0), "VU-VRG-09") == []

    def test_rings_that_are_enabled_by_message_may_be_idle(self) -> None:
        assert found(run(opened(), 0, 0), "VU-VRG-09") == []

    def test_a_ring_that_goes_on_does_not_move(self) -> None:
        finding = only(run(opened(), 256, base=256), "VU-VRG-09")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (12, (14,))
        assert "ring 0 started at 256 and stopped there after 2.0 s" in finding.message

    def served(self, seconds: int) -> Conversation:
        """A disk with a packed ring, whose start the answer to a later request confirms, and which does not move."""
        talk = disk(PACKED)
        set_up(talk, base=0x8000_8000)
        kick(talk)
        enable(talk)
        talk.ask("GET_STATUS", status=0)
        talk.silence(seconds * SECOND)
        stop(talk, num=0x8000)
        return talk

    def test_a_disk_from_which_nothing_was_read(self) -> None:
        finding = only(self.served(seconds=12), "VU-VRG-09")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.BACK_END)
        assert "took nothing from ring 0 in 12.0 s, although a driver" in finding.message
        assert "the ring is packed" in finding.message

    def test_a_disk_from_which_nothing_was_read_yet(self) -> None:
        assert only(self.served(seconds=5), "VU-VRG-09").severity is Severity.INFO

    def test_a_disk_with_the_driver_of_the_firmware(self) -> None:
        assert found(run(disk(SPLIT), 0, seconds=12), "VU-VRG-09") == []

    def test_a_position_of_a_packed_ring_is_in_words(self) -> None:
        finding = only(run(opened(features=PACKED), 0x8011, base=0x8011_8011), "VU-VRG-09")

        assert "ring 0 started at avail 17 wrap 1 used 17 wrap 1 and stopped there" in finding.message

    def test_a_ring_that_goes_on_does_not_move_in_a_moment(self) -> None:
        assert found(run(opened(), 256, base=256, seconds=0), "VU-VRG-09") == []

    def test_a_ring_that_was_never_started_does_not_move(self) -> None:
        talk = opened()
        set_up(talk, base=256)
        talk.silence(2 * SECOND)
        stop(talk, num=256)

        assert found(talk, "VU-VRG-09") == []

    def test_a_ring_that_goes_on_moves(self) -> None:
        assert found(run(opened(), 257, base=256), "VU-VRG-09") == []


class TestStartedAgain:
    """VU-VRG-10."""

    def rebooted(self, *stops: int) -> Conversation:
        talk = opened()
        return run(talk, *stops)

    def test_enabled_without_a_kick_descriptor(self) -> None:
        talk = self.rebooted(5)
        enable(talk, num=0)
        enable(talk)
        talk.silence(SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-VRG-10")

        assert (finding.severity, finding.blame) == (Severity.WARNING, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (16, (13,))
        assert "ring 0: enabled again after the stop in #13" in finding.message

    def test_qemu_enables_rings_in_the_reset_of_its_exit(self) -> None:
        talk = self.rebooted(5)
        enable(talk, num=0)
        enable(talk)
        talk.close("front-end")

        assert found(talk, "VU-VRG-10") == []

    def test_set_up_without_a_kick_descriptor(self) -> None:
        talk = self.rebooted(5)
        set_up(talk)
        talk.silence(SECOND)
        talk.close("front-end")

        assert "ring 0: set up again" in only(talk, "VU-VRG-10").message

    def test_a_capture_that_ends_while_it_is_set_up(self) -> None:
        talk = self.rebooted(5)
        set_up(talk)

        assert found(talk, "VU-VRG-10") == []

    def test_given_up_with_another_stop(self) -> None:
        talk = self.rebooted(5)
        enable(talk)
        talk.silence(SECOND)
        stop(talk)
        kick(talk)

        assert only(talk, "VU-VRG-10").frame == 15

    def test_with_a_kick_descriptor(self) -> None:
        talk = self.rebooted(5)
        set_up(talk)
        kick(talk)
        enable(talk)
        talk.silence(SECOND)

        assert found(talk, "VU-VRG-10") == []

    def test_others_are_started_again(self) -> None:
        talk = self.rebooted(5, 6)
        set_up(talk)
        kick(talk)
        for index in (0, 1):
            enable(talk, index)
        talk.silence(SECOND)
        talk.close("front-end")

        finding = only(talk, "VU-VRG-10")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.BACK_END)
        assert (finding.frame, finding.frames) == (27, (20,))
        assert "ring 1: enabled again after the stop in #20, but only ring 0 started again" in finding.message

    def test_others_were_never_stopped(self) -> None:
        talk = opened()
        for index in (0, 1):
            set_up(talk, index)
            kick(talk, index)
            enable(talk, index)
        stop(talk, 1)
        enable(talk, 1)
        talk.silence(SECOND)
        talk.close("front-end")

        assert only(talk, "VU-VRG-10").blame is Blame.FRONT_END

    def test_a_network_device_is_enabled_whenever_its_driver_is_reset(self) -> None:
        talk = self.rebooted(5)
        enable(talk)
        talk.silence(SECOND)
        talk.close("front-end")

        assert found(talk, "VU-VRG-10", device=device_by_name("net")) == []

    def test_a_ring_that_was_never_started(self) -> None:
        talk = opened()
        enable(talk)

        assert found(talk, "VU-VRG-10") == []


class TestPartlyUsed:
    """VU-VRG-18."""

    def named(self, number: int) -> Conversation:
        talk = opened()
        for index in range(number):
            talk.front_end("SET_VRING_CALL", index=index, descriptors=(eventfd(index),))
        return talk

    def test_one_ring_of_four(self) -> None:
        talk = self.named(4)
        kick(talk)
        enable(talk)
        talk.close("front-end")

        finding = only(talk, "VU-VRG-18")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.BACK_END, 13)
        assert "of 4 rings only ring 0 ran, not rings 1, 2, 3" in finding.message

    def test_of_many_rings_the_first_are_listed(self) -> None:
        talk = run(self.named(11), 5)

        assert "not rings 1, 2, 3, 4, 5, 6, 7, 8 and 2 more" in only(talk, "VU-VRG-18").message

    def test_firmware_uses_the_first_and_the_system_all(self) -> None:
        talk = run(run(self.named(2), 5), 6, 7)

        assert found(talk, "VU-VRG-18") == []

    def scsi(self, *rings: int) -> Conversation:
        talk = self.named(4)
        for index in rings:
            kick(talk, index)
            enable(talk, index)
        return talk

    def test_rings_for_control_and_events_need_not_run(self) -> None:
        assert found(self.scsi(2, 3), "VU-VRG-18", device=device_by_name("scsi")) == []

    def test_those_for_requests_are_worth_knowing(self) -> None:
        assert "not rings 0, 1, 3" in only(self.scsi(2), "VU-VRG-18", device=device_by_name("scsi")).message

    def test_all_of_them(self) -> None:
        talk = run(self.named(2), 5, 6)

        assert found(talk, "VU-VRG-18") == []

    def test_none_of_them(self) -> None:
        talk = self.named(2)
        talk.close("front-end")

        assert found(talk, "VU-VRG-18") == []

    def test_a_ring_that_may_have_run_before_the_capture(self) -> None:
        talk = Conversation()
        kick(talk, 0)
        enable(talk, 0)
        stop(talk, 1)

        assert found(talk, "VU-VRG-18") == []


class TestEnabledEarly:
    """VU-VRG-19."""

    def test_before_anything_else(self) -> None:
        talk = opened()
        enable(talk, 1)

        finding = only(talk, "VU-VRG-19")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.UNKNOWN, 8)
        assert "ring 1 is enabled before it has its size, addresses, kick descriptor" in finding.message

    def test_ring_after_ring(self) -> None:
        talk = opened()
        for index in (0, 1):
            set_up(talk, index)
            kick(talk, index)
            enable(talk, index)

        finding = only(talk, "VU-VRG-19")

        assert (finding.severity, finding.blame) == (Severity.COMPAT, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (13, (12,))
        assert "ring 1 is configured only after ring 0 can run" in finding.message

    def test_after_all_are_configured(self) -> None:
        talk = opened()
        for index in (0, 1):
            set_up(talk, index)
            kick(talk, index)
        for index in (0, 1):
            enable(talk, index)

        assert found(talk, "VU-VRG-19") == []

    def test_after_a_stop(self) -> None:
        talk = run(opened(), 5)
        enable(talk)

        assert found(talk, "VU-VRG-19") == []

    def test_disabled_before_anything_else(self) -> None:
        talk = opened()
        enable(talk, num=0)

        assert found(talk, "VU-VRG-19") == []

    def test_enabled_by_rule(self) -> None:
        talk = opened(features=BY_RULE)
        for index in (0, 1):
            set_up(talk, index)
            kick(talk, index)

        assert found(talk, "VU-VRG-19") == []

    def test_what_is_missing_may_have_come_before_the_capture(self) -> None:
        talk = Conversation()
        enable(talk)

        assert found(talk, "VU-VRG-19") == []
