"""VU-OBS-07 to 09: where a ring starts and stops, beside what a recorder has seen in it."""

import pytest

from tests.conversation import Conversation, eventfd
from tests.lint import found
from tests.lint.looks import (
    BLK,
    SIZE,
    accused,
    configured,
    judged,
    packed,
    running,
    see,
    started,
    with_in_flight_memory,
)
from vudissect.conversation.text import read_conversation
from vudissect.lint.finding import Blame, Severity


class TestStoppedWithRequests:
    """VU-OBS-07."""

    @staticmethod
    def stopped_at(position: int, talk: Conversation | None = None) -> Conversation:
        talk = talk or running()
        talk.ask("GET_VRING_BASE", index=0, num=position)
        return talk

    def test_a_request_was_taken_and_not_completed(self) -> None:
        talk = self.stopped_at(35)
        see(talk, avail=35, used=34, pending=1)

        severity, blame, message = judged(talk, "VU-OBS-07")

        assert (severity, blame) == (Severity.WARNING, Blame.BACK_END)
        assert "ring 0 stopped at 35, but only requests up to 34 are completed: 1 request will never be" in message

    def test_all_that_was_taken_is_completed(self) -> None:
        talk = self.stopped_at(34)
        see(talk, avail=35, used=34, pending=1)

        assert accused(talk, "VU-OBS-07") == []

    @pytest.mark.parametrize("in_flight", [1, None], ids=["it is there", "it cannot be read"])
    def test_the_in_flight_memory_has_it(self, in_flight: int | None) -> None:
        talk = self.stopped_at(35, with_in_flight_memory())
        see(talk, avail=35, used=34, pending=1, in_flight=in_flight)

        assert accused(talk, "VU-OBS-07") == []

    def test_the_in_flight_memory_has_only_some(self) -> None:
        talk = self.stopped_at(37, with_in_flight_memory())
        see(talk, avail=37, used=34, pending=3, in_flight=1)

        message = judged(talk, "VU-OBS-07")[2]

        assert message.endswith(": 2 requests will never be, as the in-flight memory has only 1 of 3")

    def test_what_was_seen_before_the_stop_says_nothing(self) -> None:
        talk = self.stopped_at(35)
        see(talk, time=1, avail=35, used=34, pending=1)

        assert accused(talk, "VU-OBS-07") == []

    def test_the_guest_uses_the_memory_for_other_things(self) -> None:
        talk = self.stopped_at(35)
        see(talk, avail=0x4141, used=0x4242, pending=0)

        assert accused(talk, "VU-OBS-07") == []


class TestStoppedBehind:
    """VU-OBS-09."""

    @staticmethod
    def seen_at(used: int) -> Conversation:
        talk = running()
        see(talk, avail=used, used=used, pending=0)
        return talk

    def test_a_position_that_was_passed(self) -> None:
        talk = self.seen_at(34)
        talk.ask("GET_VRING_BASE", index=0, num=30)

        severity, blame, message = judged(talk, "VU-OBS-09")

        assert (severity, blame) == (Severity.WARNING, Blame.BACK_END)
        assert message.endswith("had been completed (#15): who goes on from there processes 4 requests again")

    def test_a_back_end_that_forgets_the_position(self) -> None:
        talk = self.seen_at(2000)
        talk.ask("GET_VRING_BASE", index=0, num=0)

        assert "ring 0 stopped at 0, but requests up to 2000 had been completed" in judged(talk, "VU-OBS-09")[2]

    def test_a_position_that_a_fast_ring_may_have_reached_again(self) -> None:
        talk = running()
        see(talk, avail=0, used=0, pending=0)
        see(talk, avail=40000, used=40000, pending=0)
        talk.ask("GET_VRING_BASE", index=0, num=39990)

        assert accused(talk, "VU-OBS-09") == []

    def test_a_position_of_a_ring_that_has_become_slow(self) -> None:
        talk = running()
        see(talk, avail=0, used=0, pending=0)
        see(talk, avail=40000, used=40000, pending=0)
        see(talk, avail=40000, used=40000, pending=0)
        talk.ask("GET_VRING_BASE", index=0, num=39990)

        assert len(accused(talk, "VU-OBS-09")) == 1

    def test_a_position_that_may_be_far_ahead(self) -> None:
        talk = self.seen_at(21632)
        talk.ask("GET_VRING_BASE", index=0, num=61000)

        assert accused(talk, "VU-OBS-09") == []

    @pytest.mark.parametrize("position", [34, 35, 3])
    def test_a_position_that_it_has_reached(self, position: int) -> None:
        talk = self.seen_at(34 if position != 3 else 0xFFFE)
        talk.ask("GET_VRING_BASE", index=0, num=position)

        assert accused(talk, "VU-OBS-09") == []

    def test_the_device_was_reset_before(self) -> None:
        talk = self.seen_at(34)
        talk.front_end("SET_STATUS", status=0)
        talk.ask("GET_VRING_BASE", index=0, num=0)

        assert accused(talk, "VU-OBS-09") == []

    def test_another_status_is_not_a_reset(self) -> None:
        talk = self.seen_at(34)
        talk.front_end("SET_STATUS", status=15)
        talk.ask("GET_VRING_BASE", index=0, num=0)

        assert len(accused(talk, "VU-OBS-09")) == 1

    def test_what_was_seen_before_this_run_does_not_count(self) -> None:
        talk = self.seen_at(34)
        talk.ask("GET_VRING_BASE", index=0, num=34)
        talk.front_end("SET_VRING_BASE", index=0, num=0)
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick0"),))
        talk.ask("GET_VRING_BASE", index=0, num=0)

        assert accused(talk, "VU-OBS-09") == []


class TestBeginsElsewhere:
    """VU-OBS-08."""

    def test_requests_are_skipped(self) -> None:
        talk = configured(base=34)
        see(talk, avail=35, used=30, pending=5)

        severity, blame, message = judged(talk, "VU-OBS-08")

        assert (severity, blame) == (Severity.WARNING, Blame.FRONT_END)
        assert message.startswith("ring 0 begins at 34, but the last completed position in it is 30")
        assert message.endswith("never processed")

    def test_requests_are_processed_twice(self) -> None:
        talk = configured(base=30)
        see(talk, avail=35, used=34, pending=1)

        assert judged(talk, "VU-OBS-08")[2].endswith("processed twice")

    def test_it_goes_on_where_it_was(self) -> None:
        talk = configured(base=30)
        see(talk, avail=35, used=30, pending=5)

        assert accused(talk, "VU-OBS-08") == []

    def test_a_ring_that_runs_is_ahead_of_its_base(self) -> None:
        talk = running(base=30)
        see(talk, avail=35, used=34, pending=1)

        assert accused(talk, "VU-OBS-08") == []


def place(index: int, wrap: int = 1) -> int:
    """A place in a packed ring."""
    return index | wrap << 15


def base(avail: int, used: int = 0) -> int:
    """What is sent of a packed ring; many back-ends report only the first half."""
    return avail | used << 16


def packed_ring(begins: int = base(place(0), place(0)), *features: str) -> Conversation:
    return running(begins, talk=packed(*features))


class TestPackedRingStoppedWithDescriptors:
    """VU-OBS-07."""

    @staticmethod
    def stopped_at(position: int, talk: Conversation | None = None) -> Conversation:
        talk = talk or packed_ring()
        talk.ask("GET_VRING_BASE", index=0, num=position)
        return talk

    def test_descriptors_were_taken_and_not_given_back(self) -> None:
        talk = self.stopped_at(base(place(35), place(33)))
        see(talk, avail=place(36), pending=3)

        severity, blame, message = judged(talk, "VU-OBS-07")

        assert (severity, blame) == (Severity.WARNING, Blame.BACK_END)
        assert message == (
            "ring 0 stopped at avail 35 wrap 1 used 33 wrap 1: 2 descriptors will never be completed, as there is no "
            "in-flight memory to find them in"
        )

    def test_across_the_end_of_the_ring(self) -> None:
        talk = self.stopped_at(base(place(1, wrap=0), place(SIZE - 1)))
        see(talk, avail=place(1, wrap=0), pending=2)

        assert ": 2 descriptors will never be completed" in judged(talk, "VU-OBS-07")[2]

    @pytest.mark.parametrize("position", [base(place(35), place(35)), base(place(35))], ids=["all", "unknown"])
    def test_all_that_was_taken_is_given_back_or_that_is_not_reported(self, position: int) -> None:
        talk = self.stopped_at(position)
        see(talk, avail=place(36), pending=1)

        assert accused(talk, "VU-OBS-07") == []

    @pytest.mark.parametrize(("in_flight", "lost"), [(2, 0), (None, 0), (1, 1)], ids=["all", "unknown", "some"])
    def test_what_is_in_the_in_flight_memory_is_not_lost(self, in_flight: int | None, lost: int) -> None:
        talk = self.stopped_at(base(place(35), place(33)), with_in_flight_memory(talk=packed("INFLIGHT_SHMFD")))
        see(talk, avail=place(36), pending=3, in_flight=in_flight)

        assert len(accused(talk, "VU-OBS-07")) == lost

    def test_the_guest_uses_the_memory_for_other_things(self) -> None:
        talk = self.stopped_at(base(place(35), place(33)))
        see(talk, avail=place(2), pending=0)

        assert accused(talk, "VU-OBS-07") == []


class TestPackedRingStoppedBehind:
    """VU-OBS-09."""

    @staticmethod
    def stopped_at(position: int, *features: str) -> Conversation:
        talk = packed_ring(base(place(0), place(0)), *features)
        see(talk, avail=place(36), pending=1)
        talk.ask("GET_VRING_BASE", index=0, num=position)
        return talk

    def test_a_back_end_that_forgets_the_position(self) -> None:
        talk = self.stopped_at(base(place(0), place(0)))
        see(talk, avail=place(36), pending=1)

        severity, blame, message = judged(talk, "VU-OBS-09")

        assert (severity, blame) == (Severity.WARNING, Blame.BACK_END)
        assert message.startswith(
            "ring 0 stopped at avail 0 wrap 1 used 0 wrap 1, but descriptors up to 35 wrap 1 had been completed (#15)"
        )

    def test_only_the_half_that_is_reported_counts(self) -> None:
        talk = self.stopped_at(base(place(5)))
        see(talk, avail=place(36), pending=1)

        assert len(accused(talk, "VU-OBS-09")) == 1

    @pytest.mark.parametrize(
        "position",
        [base(place(36), place(35)), base(place(36), place(36)), base(place(35)), base(place(34))],
        ids=["as seen", "further", "avail only", "perhaps the same request"],
    )
    def test_a_position_that_it_has_reached(self, position: int) -> None:
        talk = self.stopped_at(position)
        see(talk, avail=place(36), pending=1)

        assert accused(talk, "VU-OBS-09") == []

    def test_a_ring_that_has_gone_on_may_be_two_laps_further(self) -> None:
        talk = self.stopped_at(base(place(0), place(0)))
        see(talk, avail=place(37), pending=1)

        assert accused(talk, "VU-OBS-09") == []

    def test_a_device_that_was_reset(self) -> None:
        talk = packed_ring()
        see(talk, avail=place(36), pending=1)
        talk.front_end("SET_STATUS", status=0)
        talk.ask("GET_VRING_BASE", index=0, num=base(place(0), place(0)))
        see(talk, avail=place(36), pending=1)

        assert accused(talk, "VU-OBS-09") == []

    def test_without_tables_a_request_cannot_be_told_from_the_rest_of_another(self) -> None:
        talk = running(base(place(0), place(0)), talk=packed(tables=False))
        see(talk, avail=place(36), pending=1)
        talk.ask("GET_VRING_BASE", index=0, num=base(place(0), place(0)))
        see(talk, avail=place(36), pending=1)

        assert accused(talk, "VU-OBS-09") == []


class TestPackedRingBeginsElsewhere:
    """VU-OBS-08."""

    @staticmethod
    def beginning_at(position: int) -> Conversation:
        return configured(position, talk=packed())

    @pytest.mark.parametrize(
        "position",
        [base(place(0), place(0)), base(place(30), place(30)), base(place(40), place(40)), base(place(35, wrap=0))],
        ids=["forgotten", "behind", "ahead of the driver", "another lap"],
    )
    def test_a_position_at_which_nothing_is_available(self, position: int) -> None:
        talk = self.beginning_at(position)
        see(talk, avail=place(36), pending=2)

        severity, blame, message = judged(talk, "VU-OBS-08")

        assert (severity, blame) == (Severity.WARNING, Blame.FRONT_END)
        assert ", but the driver is at 36 wrap 1, and descriptors up to 34 wrap 1 are completed" in message

    @pytest.mark.parametrize(
        "position",
        [base(place(34), place(34)), base(place(36), place(34)), base(place(36)), base(place(33))],
        ids=["where it was", "all taken", "avail only", "perhaps the same request"],
    )
    def test_it_goes_on_where_it_was(self, position: int) -> None:
        talk = self.beginning_at(position)
        see(talk, avail=place(36), pending=2)

        assert accused(talk, "VU-OBS-08") == []

    def test_a_new_ring(self) -> None:
        talk = self.beginning_at(base(place(0), place(0)))
        see(talk, avail=place(5), pending=5)

        assert accused(talk, "VU-OBS-08") == []

    def test_a_ring_that_runs_may_be_anywhere(self) -> None:
        talk = started(base(place(0), place(0)), talk=packed())
        see(talk, avail=place(36), pending=2)

        assert accused(talk, "VU-OBS-08") == []


_CONNECTION = """\
c{number} --- connection front-end=qemu-system-x86 back-end=dpdk-testpmd
c{number} F>B GET_FEATURES
c{number} B>F GET_FEATURES -> VERSION_1 INDIRECT_DESC RING_PACKED
c{number} F>B SET_FEATURES all that was offered
c{number} F>B SET_MEM_TABLE region0 0+256M at 0x7f2bc3e00000 mem#1 (memfd pc.ram 256M)
c{number} F>B SET_VRING_NUM ring 0 num 256
c{number} F>B SET_VRING_BASE ring 0 {base}
c{number} F>B SET_VRING_ADDR ring 0 flags 0 desc region0+0x1000 used region0+0x4000 avail region0+0x3000 log 0
c{number} F>B SET_VRING_KICK ring 0 evt#kick{number}
"""
_BEGINNING, _LATER = "avail 0 wrap 1 used 0 wrap 1", "avail 44 wrap 0 used 44 wrap 0"


class TestPackedRingOfTheNextConnection:
    """VU-OBS-08: QEMU 7.2 begins packed rings at the beginning when it has lost its back-end."""

    @staticmethod
    def reconnected(base: str, *seen: str) -> Conversation:
        """The back-end dies, and the ring begins on the next connection; seen before and after that."""
        return read_conversation(
            _CONNECTION.format(number=1, base=_BEGINNING)
            + "c1 --- ring 0: avail 44 wrap 0, 0 pending, kick 0, call 0\n"
            + "c1 --- closed by back-end (eof)\n"
            + _CONNECTION.format(number=2, base=base)
            + "".join(f"c2 --- ring 0: {look}, kick 0, call 0\n" for look in seen)
        )

    @pytest.mark.parametrize("seen", ["avail 44 wrap 0, 0 pending", "avail 46 wrap 0, 2 pending"])
    def test_it_does_not_begin_where_it_was(self, seen: str) -> None:
        talk = self.reconnected(_BEGINNING, seen)

        _, blame, message = judged(talk, "VU-OBS-08")

        assert blame is Blame.FRONT_END
        assert message.startswith("ring 0 begins at avail 0 wrap 1 used 0 wrap 1, but the driver is at 4")
        assert "descriptors up to 44 wrap 0 are completed" in message

    def test_the_back_end_that_waits_is_not_accused(self) -> None:
        talk = self.reconnected(_BEGINNING, "avail 44 wrap 0, 0 pending", "avail 46 wrap 0, 2 pending for 6s")

        findings = found(talk, "VU-OBS-02", "VU-OBS-08", device=BLK)

        assert [finding.rule for finding in findings] == ["VU-OBS-08"]

    def test_one_that_does_not_go_on_from_where_it_was_is(self) -> None:
        talk = self.reconnected(_LATER, "avail 44 wrap 0, 0 pending", "avail 46 wrap 0, 2 pending for 6s")

        assert accused(talk, "VU-OBS-08") == []
        assert len(accused(talk, "VU-OBS-02")) == 1

    @pytest.mark.parametrize("seen", ["avail 46 wrap 0, 0 pending", "avail 0 wrap 1, 0 pending"])
    def test_a_ring_that_goes_on_or_is_new_may_begin_anywhere(self, seen: str) -> None:
        assert accused(self.reconnected(_BEGINNING, seen), "VU-OBS-08") == []

    def test_a_ring_that_is_stopped_and_started_at_another_place(self) -> None:
        text = _CONNECTION.format(number=1, base=_BEGINNING) + (
            "F>B GET_VRING_BASE ring 0\n"
            "B>F GET_VRING_BASE -> ring 0 avail 44 wrap 0 used 0 wrap 0\n"
            "--- ring 0: avail 44 wrap 0, 0 pending, kick 0, call 0\n"
            f"F>B SET_VRING_BASE ring 0 {_BEGINNING}\n"
            "F>B SET_VRING_ADDR ring 0 flags 0 desc region0+0x1000 used region0+0x4000 avail region0+0x3000 log 0\n"
            "F>B SET_VRING_KICK ring 0 evt#kick2\n"
            "--- ring 0: avail 44 wrap 0, 0 pending, kick 1, call 0\n"
        )

        assert len(accused(read_conversation(text), "VU-OBS-08")) == 1
