"""VU-OBS: a recorder looks into the rings and settles who has the ball."""

from typing import Any

import pytest

from tests.conversation import SECOND, eventfd
from tests.lint import found
from tests.lint.looks import BLK, NET, SIZE, accused, configured, judged, running, see, started, with_in_flight_memory
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Severity


class TestKickNotRead:
    """VU-OBS-01."""

    STUCK: dict[str, Any] = {  # noqa: RUF012
        "avail": 35,
        "used": 34,
        "pending": 1,
        "waited": 2 * SECOND,
        "kick": 1,
        "kick_unread": 2 * SECOND,
    }

    def test_the_back_end_does_not_run(self) -> None:
        talk = running()
        see(talk, **self.STUCK, request="request 34: write sector 2048, 8 sectors")

        severity, blame, message = judged(talk, "VU-OBS-01")

        assert (severity, blame) == (Severity.ERROR, Blame.BACK_END)
        assert message.startswith("ring 0: request 34: write sector 2048, 8 sectors, pending for 2.0 s (since 0.000 s)")
        assert "its kick is unread" in message

    def test_it_is_reported_once_while_it_lasts(self) -> None:
        talk = running()
        see(talk, **self.STUCK)
        see(talk, **{**self.STUCK, "waited": 9 * SECOND, "kick_unread": 9 * SECOND})

        assert len(accused(talk, "VU-OBS-01")) == 1

    def test_it_is_reported_again_after_it_ended(self) -> None:
        talk = running()
        see(talk, **self.STUCK)
        see(talk, avail=36, used=36, pending=0, kick=0)
        see(talk, **self.STUCK)

        assert len(accused(talk, "VU-OBS-01")) == 2

    def test_a_back_end_that_was_stopped_while_it_polled(self) -> None:
        talk = running()
        see(talk, **{**self.STUCK, "kick": 0, "kick_unread": 0}, no_kicks=True, back_end_stopped=True)

        assert judged(talk, "VU-OBS-01")[2].endswith(
            "the process of the back-end is stopped, by a signal or a debugger"
        )
        assert accused(talk, "VU-OBS-02") == []

    def test_it_names_since_when(self) -> None:
        talk = running()
        talk.silence(5 * SECOND)
        see(talk, **self.STUCK)

        assert "pending for 2.0 s (since 3." in judged(talk, "VU-OBS-01")[2]

    def test_each_ring_is_reported(self) -> None:
        talk = configured(ring=1, talk=running())
        talk.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd("kick1"),))
        talk.front_end("SET_VRING_ENABLE", index=1, num=1)
        see(talk, 0, **self.STUCK)
        see(talk, 1, **self.STUCK)

        assert [finding.message.split(":")[0] for finding in accused(talk, "VU-OBS-01")] == ["ring 0", "ring 1"]

    def test_a_back_end_that_polls_need_not_read_it(self) -> None:
        talk = running()
        see(talk, **self.STUCK, no_kicks=True)

        assert accused(talk, "VU-OBS-01") == []

    def test_a_kick_that_was_unread_for_a_moment(self) -> None:
        talk = running()
        see(talk, **{**self.STUCK, "kick_unread": SECOND // 2, "waited": SECOND // 2})

        assert accused(talk, "VU-OBS-01") == []

    def test_a_back_end_that_takes_a_while_until_it_watches_a_new_ring(self) -> None:
        talk = running(base=34)
        see(talk, **self.STUCK)

        assert accused(talk, "VU-OBS-01") == []

    def test_a_back_end_that_does_not_watch_a_new_ring_at_all(self) -> None:
        talk = running(base=34)
        see(talk, **{**self.STUCK, "waited": 6 * SECOND, "kick_unread": 6 * SECOND})

        assert "pending for 6.0 s" in judged(talk, "VU-OBS-01")[2]

    def test_a_back_end_that_is_stopped_before_it_has_completed_anything(self) -> None:
        talk = running(base=34)
        see(talk, **self.STUCK, back_end_stopped=True)

        assert "the process of the back-end is stopped" in judged(talk, "VU-OBS-01")[2]

    @pytest.mark.parametrize(("base", "is_accused"), [(0x8000_8000, True), (0x800A_800A, False)])
    def test_a_packed_ring(self, base: int, *, is_accused: bool) -> None:
        talk = configured(base=base, talk=opened(features=("PROTOCOL_FEATURES", "VERSION_1", "RING_PACKED")))
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick0"),))
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)
        # Two descriptors are pending, from the tenth on.
        see(talk, avail=0x800C, pending=2, waited=2 * SECOND, kick=1, kick_unread=2 * SECOND)

        assert (accused(talk, "VU-OBS-01") != []) is is_accused

    def test_a_receive_ring_waits_for_the_network(self) -> None:
        talk = running()
        see(talk, **self.STUCK)

        assert accused(talk, "VU-OBS-01", NET) == []

    def test_of_an_unknown_device_nothing_is_known(self) -> None:
        talk = running()
        see(talk, **self.STUCK)

        assert accused(talk, "VU-OBS-01", None) == []

    def test_a_ring_that_was_not_set_up(self) -> None:
        talk = running()
        see(talk, 7, **self.STUCK)

        assert accused(talk, "VU-OBS-01") == []


class TestRequestNotCompleted:
    """VU-OBS-02."""

    def test_the_kick_was_read(self) -> None:
        talk = running()
        see(talk, avail=35, used=34, pending=1, waited=6 * SECOND, kick=0)

        severity, blame, message = judged(talk, "VU-OBS-02")

        assert (severity, blame) == (Severity.WARNING, Blame.BACK_END)
        assert "1 request, pending for 6.0 s (since 0.000 s); its kick was read" in message

    def test_a_back_end_that_polls_has_to_look(self) -> None:
        talk = running()
        see(talk, avail=35, used=34, pending=1, waited=6 * SECOND, kick=3, kick_unread=6 * SECOND, no_kicks=True)

        assert "the device asks for none by its flags" in judged(talk, "VU-OBS-02")[2]

    def test_a_kick_that_came_before_the_ring_was_enabled_may_be_lost(self) -> None:
        talk = running(base=34)
        see(talk, avail=35, used=34, pending=1, waited=6 * SECOND, kick=0)

        assert judged(talk, "VU-OBS-02")[2].endswith("a kick from before it was enabled (#14) may have been lost")

    def test_a_ring_that_has_worked_lost_no_early_kick(self) -> None:
        talk = running(base=33)
        see(talk, avail=35, used=34, pending=1, waited=6 * SECOND, kick=0)

        assert "lost" not in judged(talk, "VU-OBS-02")[2]

    def test_a_slow_disk(self) -> None:
        talk = running()
        see(talk, avail=35, used=34, pending=1, waited=4 * SECOND, kick=0)

        assert accused(talk, "VU-OBS-02") == []

    def test_without_a_view_of_the_kick_it_is_not_known(self) -> None:
        talk = running()
        see(talk, avail=35, used=34, pending=1, waited=6 * SECOND)

        assert accused(talk, "VU-OBS-02") == []


class TestWaitingInDisabledRing:
    """VU-OBS-03."""

    def test_started_and_not_enabled(self) -> None:
        talk = started()
        see(talk, avail=1, used=0, pending=1, waited=2 * SECOND, kick=1, kick_unread=2 * SECOND)

        severity, blame, message = judged(talk, "VU-OBS-03")

        assert (severity, blame) == (Severity.WARNING, Blame.FRONT_END)
        assert "started and not enabled" in message

    def test_the_back_end_is_not_accused_of_it(self) -> None:
        talk = started()
        see(talk, avail=1, used=0, pending=1, waited=2 * SECOND, kick=1, kick_unread=2 * SECOND)

        assert accused(talk, "VU-OBS-01") == []

    def test_it_is_enabled_a_moment_later(self) -> None:
        talk = started()
        see(talk, avail=1, used=0, pending=1, waited=SECOND // 2, kick=1)
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)

        assert accused(talk, "VU-OBS-03") == []


class TestCallNotRead:
    """VU-OBS-04."""

    def test_the_guest_does_not_look(self) -> None:
        talk = running()
        see(talk, avail=35, used=35, pending=0, kick=0, call=1, call_unread=2 * SECOND, unnoticed=2 * SECOND)

        severity, blame, message = judged(talk, "VU-OBS-04")

        assert (severity, blame) == (Severity.WARNING, Blame.FRONT_END)
        assert "the device is at 35, its call has been unread for 2.0 s, and the driver has not made a" in message

    def test_with_event_indices_it_is_known_that_the_driver_does_not_know(self) -> None:
        talk = configured(talk=opened(features=("PROTOCOL_FEATURES", "VERSION_1", "EVENT_IDX")))
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick0"),))
        see(talk, avail=35, used=35, pending=0, kick=0, call=1, call_unread=2 * SECOND, unnoticed=2 * SECOND)

        assert "and the driver has not noticed: the front-end or its guest" in judged(talk, "VU-OBS-04")[2]

    def test_the_driver_looked_by_itself(self) -> None:
        talk = running()
        see(talk, avail=35, used=35, pending=0, kick=0, call=1, call_unread=2 * SECOND)

        assert accused(talk, "VU-OBS-04") == []

    def test_the_front_end_is_stopped_whether_or_not_the_call_can_be_seen(self) -> None:
        talk = running()
        see(talk, avail=35, used=35, pending=0, unnoticed=2 * SECOND, front_end_stopped=True)

        message = judged(talk, "VU-OBS-04")[2]

        assert message.endswith("the process of the front-end is stopped, by a signal or a debugger")


class TestNotCalled:
    """VU-OBS-05."""

    def test_the_driver_asked_for_it(self) -> None:
        talk = running()
        see(talk, avail=35, used=35, pending=0, kick=0, call=0, unnoticed=6 * SECOND)

        severity, blame, message = judged(talk, "VU-OBS-05")

        assert (severity, blame) == (Severity.WARNING, Blame.BACK_END)
        assert "completed requests up to 35" in message

    def test_a_guest_that_does_not_run_for_a_while(self) -> None:
        talk = running()
        see(talk, avail=35, used=35, pending=0, kick=0, call=0, unnoticed=2 * SECOND)

        assert accused(talk, "VU-OBS-05") == []

    def test_a_guest_whose_front_end_is_stopped(self) -> None:
        talk = running()
        see(talk, avail=35, used=35, pending=0, kick=0, call=0, unnoticed=6 * SECOND, front_end_stopped=True)

        assert accused(talk, "VU-OBS-05") == []

    def test_the_driver_asks_for_no_calls(self) -> None:
        talk = running()
        see(talk, avail=35, used=35, pending=0, kick=0, call=0, unnoticed=6 * SECOND, no_calls=True)

        assert accused(talk, "VU-OBS-05") == []

    def test_the_call_is_there(self) -> None:
        talk = running()
        see(talk, avail=35, used=35, pending=0, kick=0, call=1, unnoticed=6 * SECOND)

        assert accused(talk, "VU-OBS-05") == []


class TestInvalidRing:
    """VU-OBS-06."""

    FAULT = "366 requests are pending in a ring of 128"

    def test_the_avail_index_jumped(self) -> None:
        talk = running()
        see(talk, avail=35, used=34, pending=1)
        see(talk, avail=400, used=34, pending=366, fault=self.FAULT)

        severity, blame, message = judged(talk, "VU-OBS-06")

        assert (severity, blame) == (Severity.WARNING, Blame.FRONT_END)
        assert "the avail index went from 35 to 400" in message

    def test_the_used_index_jumped(self) -> None:
        talk = running()
        see(talk, avail=35, used=34, pending=1)
        see(talk, avail=35, used=900, pending=64671, fault="64671 requests are pending in a ring of 128")

        _, blame, message = judged(talk, "VU-OBS-06")

        assert blame is Blame.BACK_END
        assert "the used index went from 34 to 900" in message

    def test_both_indices_of_a_fast_ring_went_far(self) -> None:
        talk = running()
        see(talk, avail=35, used=34, pending=1)
        see(talk, avail=9366, used=9000, pending=366, fault=self.FAULT)

        assert judged(talk, "VU-OBS-06")[1] is Blame.UNKNOWN

    def test_it_was_so_from_the_beginning(self) -> None:
        talk = running()
        see(talk, avail=400, used=34, pending=366, fault=self.FAULT)

        assert judged(talk, "VU-OBS-06")[1] is Blame.UNKNOWN

    def test_a_chain_without_an_end(self) -> None:
        talk = running()
        see(talk, fault="a chain of descriptors never ends, from 0")

        _, blame, message = judged(talk, "VU-OBS-06")

        assert blame is Blame.FRONT_END
        assert "never ends, from 0: the guest's driver wrote this" in message

    def test_the_memory_of_a_ring_that_is_disabled_may_be_in_use_for_something_else(self) -> None:
        talk = running()
        talk.front_end("SET_VRING_ENABLE", index=0, num=0)
        see(talk, fault="16 bytes at 0x40 are in no memory region")

        assert accused(talk, "VU-OBS-06") == []

    def test_a_full_ring(self) -> None:
        talk = running()
        see(talk, avail=162, used=34, pending=SIZE)

        assert accused(talk, "VU-OBS-06") == []


class TestLeftInFlight:
    """VU-OBS-10."""

    def test_the_back_end_does_not_clear_what_it_has_completed(self) -> None:
        talk = with_in_flight_memory()
        see(talk, avail=34, used=34, pending=0, in_flight=3, left_over=2 * SECOND)

        severity, blame, message = judged(talk, "VU-OBS-10")

        assert (severity, blame) == (Severity.WARNING, Blame.BACK_END)
        assert message.startswith(
            "ring 0: all requests are completed, but 3 requests are marked in the in-flight memory: "
        )

    def test_the_front_end_passed_it_with_marks(self) -> None:
        talk = with_in_flight_memory(base=34)
        see(talk, avail=34, used=34, pending=0, in_flight=3, left_over=2 * SECOND)

        _, blame, message = judged(talk, "VU-OBS-10")

        assert blame is Blame.FRONT_END
        assert message.endswith("it was passed with marks of other requests, which the back-end processes")

    def test_a_back_end_that_was_about_to_clear_it(self) -> None:
        talk = with_in_flight_memory()
        see(talk, avail=34, used=34, pending=0, in_flight=1)

        assert accused(talk, "VU-OBS-10") == []


class TestSuspicionsThatAreSettled:
    """What the messages alone suggest is not said of a ring that was looked into."""

    def test_a_ring_that_stops_where_it_began_was_empty(self) -> None:
        talk = running()
        see(talk, avail=0, used=0, pending=0, kick=0)
        talk.silence(5 * SECOND)
        talk.ask("GET_VRING_BASE", index=0, num=0)
        talk.close("front-end")

        assert accused(talk, "VU-VRG-09") == []

    def test_a_ring_whose_start_was_not_acknowledged_works(self) -> None:
        talk = running()
        see(talk, avail=5, used=5, pending=0, kick=0)

        assert found(talk, "VU-VRG-20", "VU-VRG-21", device=BLK) == []
