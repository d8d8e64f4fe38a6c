"""The page of a running session: how much of it is kept."""

from tests.conversation import Conversation
from vudissect.capture.record import Record
from vudissect.cli.serve_page import MOST_FRAMES, Pages


def records(count: int) -> list[Record]:
    talk = Conversation()
    for _ in range(count):
        talk.front_end("GET_FEATURES")
    return [*talk.records]


def pages(count: int) -> Pages:
    """After so many frames."""
    made = Pages()
    for record in records(count):
        made.add(record)
    return made


def test_a_page_is_live_while_there_is_room() -> None:
    full = pages(MOST_FRAMES)

    assert full.count == MOST_FRAMES
    assert f"{MOST_FRAMES} frames so far, live" in full.page()


def test_a_full_page_says_so_and_asks_no_more() -> None:
    overfull = pages(MOST_FRAMES + 10)
    page = overfull.page()

    assert f"the first {MOST_FRAMES} frames; more were recorded" in page
    assert "connect-src" not in page


def test_an_open_page_learns_that_it_is_full_and_then_nothing_more() -> None:
    """Else it would load itself again and again."""
    assert pages(MOST_FRAMES + 1).count == MOST_FRAMES + 1
    assert pages(MOST_FRAMES + 10).count == MOST_FRAMES + 1


def test_the_page_is_made_again_only_if_there_is_more() -> None:
    some, (*_, fourth) = pages(3), records(4)
    before = some.page()
    assert some.page() is before

    some.add(fourth)
    assert "4 frames so far" in some.page()
