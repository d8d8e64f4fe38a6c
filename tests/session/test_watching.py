"""The dialect of a connection is judged by its messages, and earlier messages are read again in it."""

from tests.conversation import Conversation
from vudissect.capture.record import RecordKind
from vudissect.protocol.dialects import dialect_by_name
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.session.event import Event
from vudissect.session.session import Session, foresee

PROTOCOL_FEATURES = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")


def draft() -> Conversation:
    """The draft of 2015: protocol features are 17 and 18, and rings are started by SET_RUNNING."""
    dialect = dialect_by_name("mst-2015")
    assert dialect is not None
    talk = Conversation(protocol=dialect.protocol)
    talk.event(RecordKind.CONNECTION_OPENED)
    talk.ask("GET_FEATURES", features=PROTOCOL_FEATURES)
    talk.ask("GET_PROTOCOL_FEATURES", features=dialect.protocol.protocol_features.mask("MUST_RUN"))
    talk.front_end("SET_PROTOCOL_FEATURES", features=dialect.protocol.protocol_features.mask("MUST_RUN"))
    talk.front_end("SET_RUNNING", index=0, num=1)
    talk.front_end("GET_RUNNING", index=0)
    talk.back_end("GET_RUNNING", index=0, num=1)
    return talk


def names(events: list[Event]) -> list[str]:
    return [event.message.row.name for event in events if event.message is not None]


def test_a_look_ahead_reads_the_first_message_in_the_right_dialect() -> None:
    talk = draft()

    session = Session(known=foresee(talk.records), detect=True)
    events = [session.feed(record) for record in talk.records]

    assert {event.after.protocol.key for event in events} == {"mst-2015"}
    assert names(events)[2:5] == ["GET_PROTOCOL_FEATURES", "GET_PROTOCOL_FEATURES", "SET_PROTOCOL_FEATURES"]


def test_live_the_verdict_comes_late_but_the_state_is_complete() -> None:
    talk = draft()
    session = Session(detect=True)

    for record in talk.records:
        last = session.feed(record)

    assert last.after.protocol.key == "mst-2015"
    assert last.after.protocol_features.acked == 2
    assert last.after.rings[0].started.value == "started"


def test_the_change_is_reported_where_it_happens() -> None:
    session = Session(detect=True)

    told = [
        (change.before, change.after)
        for record in draft().records
        for change in session.feed(record).changes
        if change.subject == "dialect"
    ]

    assert told[0][0] == "upstream"
    assert told[-1][1] == "mst-2015"


def test_the_verdict_is_available() -> None:
    session = Session(detect=True)
    for record in draft().records:
        session.feed(record)

    verdict = session.dialect(1)

    assert verdict is not None
    assert verdict.dialect.key == "mst-2015"
    assert verdict.evidence


def test_ordinary_traffic_stays_upstream() -> None:
    talk = Conversation()
    talk.ask("GET_FEATURES", features=PROTOCOL_FEATURES)
    talk.ask("GET_PROTOCOL_FEATURES", features=0b1011)

    session = Session(detect=True)
    keys = {session.feed(record).after.protocol.key for record in talk.records}

    assert keys == {"upstream"}


def test_a_forced_dialect_is_not_judged() -> None:
    talk = draft()

    session = Session(protocol=talk.protocol)
    keys = {session.feed(record).after.protocol.key for record in talk.records}

    assert keys == {"mst-2015"}
    assert session.dialect(1) is None
