"""When a wait is reported, and which are."""

from tests.conversation import SECOND, Conversation
from vudissect.protocol.model import Channel
from vudissect.session.session import Session
from vudissect.session.waits import Patience, long_waits


def fed(talk: Conversation) -> tuple[Session, int]:
    session = Session()
    for record in talk.records:
        session.feed(record)
    return session, talk.records[-1].forwarded


def reported(session: Session, since: int, *seconds: float) -> list[float]:
    """Those of these times, in seconds after the request, at which something is reported."""
    patience = Patience(session)
    return [each for each in seconds if patience.overdue(since + int(each * SECOND))]


def waiting(*requests: str, back_end: str = "") -> tuple[Session, int]:
    talk = Conversation()
    talk.open("qemu-kvm", back_end)
    for name in requests:
        talk.front_end(name)
    return fed(talk)


def test_at_growing_intervals() -> None:
    session, since = waiting("GET_QUEUE_NUM")

    assert reported(session, since, 1, 4.9, 5, 5.1, 14, 15, 16, 44, 45, 134, 135) == [5, 15, 45, 135]


def test_whoever_looks_late_reports_once() -> None:
    session, since = waiting("GET_QUEUE_NUM")

    assert reported(session, since, 50, 51, 134, 135) == [50, 135]


def test_a_message_for_which_long_is_usual() -> None:
    session, since = waiting("CHECK_DEVICE_STATE")

    assert reported(session, since, 4, 5) == [5]


def test_the_text_names_time_and_request() -> None:
    session, since = waiting("GET_QUEUE_NUM")

    (wait,) = Patience(session).overdue(since + 7 * SECOND)

    assert wait.text == "7 s for the answer to GET_QUEUE_NUM (#2)"


def test_what_waits_after_it_is_counted() -> None:
    session, since = waiting("GET_QUEUE_NUM", "GET_FEATURES", "GET_PROTOCOL_FEATURES")

    (wait,) = Patience(session).overdue(since + 7 * SECOND)

    assert wait.text == "7 s for the answer to GET_QUEUE_NUM (#2); 2 more requests wait after it"


def test_an_answer_ends_it() -> None:
    talk = Conversation()
    talk.open()
    talk.ask("GET_QUEUE_NUM", queues=1)
    session, since = fed(talk)

    assert reported(session, since, 5, 50) == []


def test_the_next_request_begins_again() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("GET_QUEUE_NUM")
    session, since = fed(talk)
    patience = Patience(session)
    assert patience.overdue(since + 6 * SECOND)
    talk.silence(6 * SECOND)
    talk.back_end("GET_QUEUE_NUM", queues=1)
    talk.front_end("GET_FEATURES")
    for record in talk.records[2:]:
        session.feed(record)

    again = talk.records[-1].forwarded

    assert patience.overdue(again + 4 * SECOND) == []
    assert [wait.request.frame for wait in patience.overdue(again + 5 * SECOND)] == [4]


def test_a_hidden_window_is_not_waited_for() -> None:
    talk = Conversation()
    talk.open()
    talk.back_end("DMABUF_UPDATE", Channel.GPU)
    session, since = fed(talk)

    assert reported(session, since, 5, 500) == []


def test_long_waits_leave_out_what_had_no_time() -> None:
    session, since = waiting("GET_QUEUE_NUM")
    state, requests = session.states[1], session.unanswered()

    assert long_waits(state, requests, since + 2 * SECOND) == ()
    assert [wait.time for wait in long_waits(state, requests, since + 9 * SECOND)] == [9 * SECOND]
