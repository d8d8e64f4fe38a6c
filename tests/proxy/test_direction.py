"""The decisions about one direction, without sockets: `>>` events, `<<` commands."""

import pytest

from tests.proxy.harness import message
from tests.proxy.playbook import KICK, NUM, OPENER, Playbook, Recorded, fd
from vudissect.capture.record import Mark
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.events import (
    Ended,
    Gone,
    HandedOver,
    Inspect,
    Interpose,
    Interposed,
    LostDescriptors,
    Read,
    Record,
    Refusal,
    Refused,
    Retry,
    Send,
    Sent,
)
from vudissect.proxy.passed import Flow, Numbering, Passed
from vudissect.wire.framing import Rights

SIZE = len(NUM)
FULL, LATER, DESCRIPTORS = (Refused(why) for why in (Refusal.FULL, Refusal.LATER, Refusal.DESCRIPTORS))
NOT_FORWARDED = Mark.NOT_FORWARDED
OPENER_NUMBER = int.from_bytes(OPENER[:4], "little")


def numbered(count: int) -> list[bytes]:
    return [message("SET_VRING_NUM", number.to_bytes(8, "little")) for number in range(count)]


def inspected(rights: Rights) -> Inspect:
    return Inspect(Passed(Flow(Numbering(1), Channel.MAIN, Side.FRONT_END), 0, rights=rights))


def test_a_message_is_sent_and_recorded() -> None:
    assert Playbook() >> Read(NUM) << Send(NUM) >> Sent(SIZE) << Recorded(NUM)


def test_a_few_glued_messages_are_sent_one_by_one() -> None:
    assert (
        Playbook()
        >> Read(NUM + KICK)
        << Send(NUM)
        >> Sent(SIZE)
        << Recorded(NUM)
        << Send(KICK)
        >> Sent(SIZE)
        << Recorded(KICK, number=2, marks=Mark.GLUED)
    )


def test_a_burst_is_sent_several_at_a_time() -> None:
    burst = numbered(40)
    assert (
        Playbook()
        >> Read(b"".join(burst))
        << Send(b"".join(burst[:32]))
        >> Sent(32 * SIZE)
        << Recorded(burst[0])
        << Recorded(*burst[1:32], number=2, marks=Mark.GLUED)
        << Send(burst[32])
    )


def test_long_messages_are_sent_one_by_one() -> None:
    long = message("SET_LOG_BASE", bytes(9000))
    assert Playbook() >> Read(long * 20) << Send(long) >> Sent(len(long)) << Recorded(long) << Send(long)


def test_a_partly_accepted_burst_continues_in_the_middle_of_a_message() -> None:
    burst = numbered(16)
    assert (
        Playbook()
        >> Read(b"".join(burst))
        << Send(b"".join(burst))
        >> Sent(2 * SIZE + 5)
        << Recorded(burst[0])
        << Recorded(burst[1], number=2, marks=Mark.GLUED)
        << Send(burst[2][5:])
        >> FULL
        >> Retry()
        << Send(burst[2][5:])
        >> Sent(SIZE - 5)
        << Recorded(burst[2], number=3, marks=Mark.GLUED)
        << Send(burst[3])
    )


def test_a_refused_burst_is_tried_again() -> None:
    burst = numbered(16)
    assert (
        Playbook()
        >> Read(b"".join(burst))
        << Send(b"".join(burst))
        >> FULL
        >> Retry()
        << Send(b"".join(burst))
        >> Sent(16 * SIZE)
        << Recorded(burst[0])
        << Recorded(*burst[1:], number=2, marks=Mark.GLUED)
    )


def test_a_split_message_is_sent_once_it_is_complete() -> None:
    assert (
        Playbook()
        >> Read(NUM[:5])
        >> Read(NUM[5:12])
        >> Read(NUM[12:])
        << Send(NUM)
        >> Sent(SIZE)
        << Recorded(NUM, marks=Mark.SPLIT)
    )


def test_descriptors_are_sent_with_their_message() -> None:
    assert Playbook() >> Read(KICK, fd(7)) << Send(KICK, fd(7)) >> Sent(SIZE) << Recorded(KICK, rights=fd(7))


def test_each_set_of_descriptors_is_sent_with_its_byte() -> None:
    marks = Mark.SPLIT | Mark.LATE_DESCRIPTORS
    assert (
        Playbook()
        >> Read(KICK[:12], fd(1))
        >> Read(KICK[12:], fd(2))
        << Send(KICK[:12], fd(1))
        >> Sent(12)
        << Send(KICK[12:], fd(2))
        >> Sent(8)
        << Recorded(KICK, rights=fd(1) + fd(2), marks=marks)
    )


def test_descriptors_are_sent_once_if_only_a_part_of_their_bytes_is_accepted() -> None:
    assert (
        Playbook()
        >> Read(KICK, fd(1))
        << Send(KICK, fd(1))
        >> Sent(5)
        << Send(KICK[5:])
        >> Sent(SIZE - 5)
        << Recorded(KICK, rights=fd(1))
    )


def test_descriptors_that_cannot_be_passed_on_are_lost_but_not_the_message() -> None:
    assert (
        Playbook()
        >> Read(KICK, fd(1))
        << Send(KICK, fd(1))
        >> DESCRIPTORS
        << LostDescriptors()
        << Send(KICK)
        >> Sent(SIZE)
        << Recorded(KICK, rights=fd(1), marks=Mark.DESCRIPTORS_LOST)
    )


def test_the_queue_keeps_its_order() -> None:
    playbook = Playbook() >> Read(NUM) << Send(NUM) >> FULL >> Read(KICK)
    assert playbook.direction.blocked
    assert not playbook.direction.hungry
    assert (
        playbook
        >> Retry()
        << Send(NUM)
        >> Sent(SIZE)
        << Recorded(NUM)
        << Send(KICK)
        >> Sent(SIZE)
        << Recorded(KICK, number=2)
    )
    assert not playbook.direction.blocked


def test_it_reads_on_while_too_many_descriptors_are_in_flight() -> None:
    playbook = Playbook() >> Read(KICK, fd(1)) << Send(KICK, fd(1)) >> LATER
    assert (playbook.direction.stalled, playbook.direction.hungry) == (True, True)
    assert (
        playbook
        >> Read(KICK, fd(2))
        >> Retry()
        << Send(KICK, fd(1))
        >> Sent(SIZE)
        << Recorded(KICK, rights=fd(1))
        << Send(KICK, fd(2))
        >> Sent(SIZE)
        << Recorded(KICK, number=2, rights=fd(2))
    )


def test_reading_in_the_meantime_is_bounded() -> None:
    playbook = Playbook() >> Read(KICK, fd(1)) << Send(KICK, fd(1)) >> LATER
    reads = 0
    while playbook.direction.hungry:
        playbook >> Read(message("SET_LOG_BASE", bytes(60000)))
        reads += 1
    assert 2 < reads < 40


def test_a_target_that_is_gone_gets_nothing_and_everything_is_recorded() -> None:
    playbook = (
        Playbook()
        >> Read(NUM + KICK)
        << Send(NUM)
        >> Sent(5)
        << Send(NUM[5:])
        >> Gone("reset")
        << Recorded(NUM, marks=NOT_FORWARDED)
        << Recorded(KICK, number=2, marks=Mark.GLUED | NOT_FORWARDED)
        >> Read(KICK, fd(1))
        << Recorded(KICK, number=3, rights=fd(1), marks=NOT_FORWARDED)
    )
    assert playbook
    assert playbook.direction.undelivered == 3 * SIZE - 5


def test_what_waits_keeps_the_time_at_which_it_came() -> None:
    direction = (Playbook() >> Read(KICK, fd(1), now=10) << Send(KICK, fd(1)) >> LATER).direction
    direction.handle(Read(NUM, now=20))
    direction.handle(Read(KICK, fd(2), now=30))

    recorded = [command.entry for command in direction.handle(Gone("reset")) if isinstance(command, Record)]

    assert [entry.received if isinstance(entry, Passed) else entry[2] for entry in recorded] == [10, 20, 30]


def test_an_incomplete_message_is_forwarded_when_its_sender_closes() -> None:
    assert (
        Playbook()
        >> Read(NUM[:5])
        >> Ended("eof")
        << Send(NUM[:5])
        >> Sent(5)
        << Recorded(NUM[:5], marks=Mark.CUT_SHORT)
    )


def test_an_end_is_handled_after_everything_read_before_it() -> None:
    playbook = Playbook() >> Read(NUM) << Send(NUM) >> FULL >> Ended("eof")
    assert (playbook.direction.ended, playbook.direction.blocked) == ("eof", True)
    assert playbook >> Retry() << Send(NUM) >> Sent(SIZE) << Recorded(NUM)


def test_a_message_that_opens_a_channel_is_offered_first() -> None:
    assert (
        Playbook()
        >> Read(OPENER, fd(1))
        << Interpose(OPENER_NUMBER, fd(1))
        >> Interposed(fd(2))
        << Send(OPENER, fd(2))
        >> Sent(SIZE)
        << Recorded(OPENER, rights=fd(1))
        << HandedOver(1)
    )


def test_offered_descriptors_may_stay_unchanged() -> None:
    assert (
        Playbook()
        >> Read(OPENER, fd(1))
        << Interpose(OPENER_NUMBER, fd(1))
        >> Interposed(None)
        << Send(OPENER, fd(1))
        >> Sent(SIZE)
        << Recorded(OPENER, rights=fd(1))
    )


def test_a_message_too_long_to_be_held_passes_in_pieces() -> None:
    header = message("SET_LOG_BASE", bytes(100_000))[:12]
    playbook = (
        Playbook(snaplen=20)
        >> Read(header + bytes(100), fd(1))
        << Send(header + bytes(100), fd(1))
        >> Sent(112)
        << inspected(fd(1))
        >> Read(bytes(99_900))
        << Send(bytes(99_900))
        >> Sent(99_900)
        << Recorded(header + bytes(8), rights=fd(1), marks=Mark.SPLIT)
    )
    assert playbook


def test_a_log_that_differs_is_shown_as_a_difference() -> None:
    with pytest.raises(AssertionError, match=r"(?s)  >> read NUM\n- << send KICK\n\+ << send NUM$"):
        bool(Playbook() >> Read(NUM) << Send(KICK))
