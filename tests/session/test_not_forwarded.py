"""A message that was not forwarded was seen by nobody."""

from tests.conversation import SECOND, Conversation, eventfd, memfd
from vudissect.capture.record import Mark
from vudissect.session.event import Event
from vudissect.session.session import Session

LOST = Mark.NOT_FORWARDED


def events(talk: Conversation) -> list[Event]:
    return list(Session().events(talk.records))


def test_a_request_waits_for_nothing() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("GET_FEATURES", marks=LOST)
    talk.close("back-end")

    *_, request, closed = events(talk)

    assert not request.awaits
    assert closed.unanswered == ()


def test_one_that_was_forwarded_before_it_does() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("GET_FEATURES")
    talk.front_end("GET_PROTOCOL_FEATURES", marks=LOST)
    talk.close("back-end")

    assert [request.name for request in events(talk)[-1].unanswered] == ["GET_FEATURES"]


def test_a_ring_is_not_started() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),), marks=LOST)

    kick = events(talk)[-1]

    assert kick.after is kick.before


def test_memory_stays_as_it_was() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("SET_MEM_TABLE", regions=[{}], descriptors=(memfd(),))
    talk.front_end("SET_MEM_TABLE", regions=[{}, {}], descriptors=(memfd(), memfd()), marks=LOST)

    assert len(events(talk)[-1].after.memory.regions) == 1


def test_an_answer_that_nobody_reads_is_the_answer_of_its_request_but_takes_no_effect() -> None:
    talk = Conversation()
    talk.open()
    talk.front_end("GET_FEATURES")
    talk.silence(2 * SECOND)
    talk.back_end("GET_FEATURES", features=1, marks=LOST)
    talk.close("front-end")

    *_, reply, closed = events(talk)

    assert reply.request is not None
    assert reply.latency is not None
    assert reply.latency >= 2 * SECOND
    assert reply.after.features.offered is None
    assert closed.unanswered == ()
