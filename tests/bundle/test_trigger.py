"""When a bundle is made."""

import pytest

from tests.conversation import SECOND, Conversation
from vudissect.analysis import Analysis
from vudissect.bundle.trigger import TriggerError, Triggers, from_words


def reasons(triggers: Triggers, talk: Conversation, later: int = 0) -> list[str]:
    """Why bundles are made during a conversation, and some time (ns) after it."""
    analysis = Analysis(talk.records, live=True)
    found = [reason for event, findings in analysis for reason in triggers.after(event, findings)]
    return found + list(triggers.at(analysis.session, analysis.session.time + later))


def request() -> Conversation:
    talk = Conversation()
    talk.open()
    talk.front_end("GET_FEATURES")
    return talk


def test_a_disconnect() -> None:
    talk = request()
    talk.close("back-end")
    assert reasons(from_words(["disconnect"]), talk) == ["connection 1 was closed by the back-end (eof)"]
    assert reasons(from_words(["signal"]), talk) == []


def test_silence_with_a_request_open() -> None:
    triggers = from_words(["silence:5"])
    assert reasons(triggers, request(), 4 * SECOND) == []
    waits = "nothing for 6 s in connection 1, which waits for the answer to GET_FEATURES"
    assert reasons(triggers, request(), 6 * SECOND + SECOND // 2) == [waits]


def test_silence_is_reported_once_for_a_request() -> None:
    triggers, analysis = from_words(["silence:5"]), Analysis(request().records, live=True)
    list(analysis)
    times = [analysis.session.time + seconds * SECOND for seconds in (6, 7, 8)]
    assert [len(list(triggers.at(analysis.session, time))) for time in times] == [1, 0, 0]


def test_silence_without_a_request() -> None:
    talk = request()
    talk.back_end("GET_FEATURES", features=0)
    assert reasons(from_words(["silence:5"]), talk, 60 * SECOND) == []


@pytest.mark.parametrize(
    ("word", "is_made"),
    [
        ("finding:error", True),
        ("finding:info", True),
        ("finding:VU-VRG-01", False),
    ],
)
def test_a_finding(word: str, is_made: bool) -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=7)
    assert bool(reasons(from_words([word]), talk)) is is_made


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("crash", "'crash' is not a trigger: write disconnect, finding:SEVERITY"),
        ("silence", "'silence': write a number of seconds, as in silence:5"),
        ("silence:nan", "'silence:nan': write a number of seconds"),
        ("exit:x", "'exit:x': write an exit status from 0 to 255, as in exit:1"),
        ("log:", "'log:': write a regular expression, as in"),
        ("log:*", "'log:*': not a regular expression: nothing to repeat"),
        ("finding:VU-NO-99", "'finding:VU-NO-99': there is no such rule (see vudissect rules)"),
    ],
)
def test_a_trigger_that_does_not_exist(word: str, text: str) -> None:
    with pytest.raises(TriggerError) as error:
        from_words([word])
    assert str(error.value).startswith(text)
