"""The rings as `vudissect rings` prints them: what numbers do not say, and what fits on a terminal."""

import pytest

from tests.conversation import SECOND
from tests.lint.looks import BLK, configured, running, see
from vudissect.analysis import Analysis
from vudissect.conversation.conversation import Conversation
from vudissect.render.ring_table import Sample, current_lines, sample_lines, sample_of
from vudissect.render.style import Style

PLAIN = Style(colour=False)


def samples(talk: Conversation) -> list[Sample]:
    return [sample for event, _ in Analysis(talk.records, device=BLK) if (sample := sample_of(event)) is not None]


def remarks(talk: Conversation, style: Style = PLAIN) -> list[str]:
    """What is below the row of the last sample."""
    _, *below = "\n".join(sample_lines(samples(talk)[-1], style)).splitlines()
    return [line.removeprefix(" " * 21) for line in below]


def test_a_request_that_waits_and_whose_turn_it_is() -> None:
    talk = running()
    see(talk, avail=35, used=34, pending=1, waited=2 * SECOND, kick=1, kick_unread=SECOND, request="request 34: flush")

    assert remarks(talk) == [
        "request 34: flush, waiting for 2.000s",
        "the kick has been unread for 1.000s",
        "it is the turn of the back-end: its kick is unread",
    ]


def test_a_back_end_that_is_stopped_with_a_request_for_a_moment_now() -> None:
    talk = running()
    see(talk, avail=35, used=34, pending=1, back_end_stopped=True)

    assert remarks(talk) == ["the process of the back-end is stopped"]


def test_requests_that_are_left_over_in_the_in_flight_memory() -> None:
    talk = running()
    see(talk, avail=35, used=35, pending=0, in_flight=1, left_over=2 * SECOND)

    assert remarks(talk) == ["left over in the in-flight memory for 2.000s: 1"]


def test_a_long_remark_is_wrapped_on_a_terminal() -> None:
    talk = running()
    see(talk, avail=35, used=34, pending=1, request="request 34: write sector 2048, 8 sectors, and so on")

    assert remarks(talk, Style(colour=False, width=60)) == [
        "request 34: write sector 2048, 8",
        "  sectors, and so on",
    ]


def test_rings_that_stall_come_first() -> None:
    talk = configured(ring=1, talk=running())
    talk.front_end("SET_VRING_KICK", index=1)
    talk.front_end("SET_VRING_ENABLE", index=1, num=1)
    see(talk, 0, avail=3, used=3, pending=0)
    see(talk, 1, avail=3, used=2, pending=1, waited=2 * SECOND)

    titles = [line for line in current_lines(samples(talk), PLAIN) if line.startswith("ring ")]

    assert [title[:6] for title in titles] == ["ring 1", "ring 0"]


@pytest.mark.parametrize(("is_closed", "end"), [(True, ", size 128, closed"), (False, ", size 128")])
def test_the_title_of_a_ring_whose_connection_is_closed(*, is_closed: bool, end: str) -> None:
    talk = running()
    see(talk, avail=3, used=3, pending=0)
    if is_closed:
        talk.close("back-end")
    (sample,) = samples(talk)
    *_, (last, _) = Analysis(talk.records, device=BLK)

    _, title, *_ = current_lines([sample._replace(state=last.after)], PLAIN)

    assert title.endswith(end)
