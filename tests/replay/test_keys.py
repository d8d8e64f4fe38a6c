"""Keys missing from a capture are invented, others are sent as recorded; keys are never compared or stored."""

from io import BytesIO

import pytest

from tests.keys import FORMS_WITH_KEYS, leaked, some_message
from tests.replay.talks import LivePeer, records_of
from vudissect.capture.keys import key_spans, masked
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record
from vudissect.compare.policy import EXACT, override
from vudissect.protocol.model import Channel
from vudissect.render.replay import outcome_json, report
from vudissect.render.style import Style
from vudissect.replay import InMemory, Options, Outcome, Policy, Side, replay, script_of

REQUEST = next(form for form in FORMS_WITH_KEYS if not form.reply)
REPLY = next(form for form in FORMS_WITH_KEYS if form.reply and form.layout is REQUEST.layout)
ASKED, ANSWERED = some_message(REQUEST, "<", 1), some_message(REPLY, "<", 2)
TALK = ("F>B SET_OWNER", "F>B CREATE_CRYPTO_SESSION payload=00", "B>F CREATE_CRYPTO_SESSION -> payload=00")


def talk(asked: bytes = ASKED.data, answered: bytes = ANSWERED.data, *, with_keys: bool = True) -> list[Record]:
    """A session that creates a crypto session."""
    opened, owner, request, reply, *closed = records_of(*TALK)
    session = [
        request._replace(data=asked, length=len(asked)),
        reply._replace(data=answered, length=len(answered)),
    ]
    return [opened, owner, *(session if with_keys else map(masked, session)), *closed]


def play(recorded: list[Record], live: list[Record], policy: Policy | None = None) -> tuple[Outcome, LivePeer, bytes]:
    """Play the front-end; returns also what the back-end has received, and the new capture."""
    script = script_of(recorded, Side.FRONT_END)
    peer, output = LivePeer(live, Side.BACK_END), BytesIO()
    outcome = replay(script, InMemory(peer.hear, peer.speak()), policy or Policy(), Options(timeout=0.2, output=output))
    return outcome, peer, output.getvalue()


def test_invented_keys_of_the_same_length_are_sent() -> None:
    outcome, peer, _ = play(talk(with_keys=False), talk())

    sent = peer.heard[1].data
    ((start, end),) = key_spans(Channel.MAIN, ASKED.data)
    assert (sent[:start], sent[end:]) == (ASKED.data[:start], ASKED.data[end:])
    assert len(set(sent[start:end])) > 100
    assert sent[start : start + 32] != sent[start + 32 : start + 64]
    assert outcome.remarks == ["the capture has no key material: invented keys of the same length were sent in #3"]


def test_keys_that_are_in_the_capture_are_sent() -> None:
    outcome, peer, _ = play(talk(), talk())

    assert peer.heard[1].data == ASKED.data
    assert outcome.remarks == []


@pytest.mark.parametrize("with_keys", [True, False])
def test_keys_are_not_a_difference(with_keys: bool) -> None:
    other = some_message(REPLY, "<", 3).data

    outcome, _, _ = play(talk(with_keys=with_keys), talk(answered=other))

    assert (outcome.differences, outcome.allowed) == ([], [])


def test_a_policy_cannot_compare_keys() -> None:
    other = some_message(REPLY, "<", 3)

    outcome, _, _ = play(
        talk(with_keys=False),
        talk(answered=other.data),
        Policy([override("CREATE_CRYPTO_SESSION.*", EXACT)]),
    )

    assert (outcome.differences, outcome.allowed) == ([], [])


def test_a_different_answer_is_reported_without_keys() -> None:
    other = some_message(REPLY, "<", 3)
    failed = other.data[:-8] + b"\xff" * 8

    outcome, _, _ = play(talk(), talk(answered=failed))

    assert [difference.field for difference in outcome.differences] == ["session_id"]
    said = "\n".join((*report(outcome, "x", Style(False)), outcome_json(outcome, "x")))
    assert leaked((*ASKED.keys, *ANSWERED.keys, *other.keys), said.encode()) == set()


def test_the_written_capture_has_no_keys() -> None:
    _, _, capture = play(talk(), talk())

    marks = [record.marks for record in read_capture(BytesIO(capture)) if record.data]
    assert leaked((*ASKED.keys, *ANSWERED.keys), capture) == set()
    assert marks == [Mark(0), Mark.KEYS_MASKED, Mark.KEYS_MASKED]
