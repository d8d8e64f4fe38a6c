"""Every capture against the programs that it was made with: one side played, the other real."""

from pathlib import Path

import pytest

from tests.peers.captures import CAPTURES, path_of
from tests.peers.situations.situation import BACK, FRONT
from vudissect.compare.policy import CLOSE, CONNECTION, IGNORED
from vudissect.render.replay import report
from vudissect.render.style import Style
from vudissect.replay import (
    Calling,
    Meeting,
    Options,
    Outcome,
    Override,
    Policy,
    Script,
    Side,
    Waiting,
    load,
    replay,
)
from vudissect.session.session import Session
from vudissect.spec.effect import Effect
from vudissect.spec.model import Channel
from vudissect.wire.fields import to_fields

pytestmark = pytest.mark.peers

_PATIENCE = Options(timeout=20)
# A back-end that was killed then is not killed now, and goes on when it is called again.
_NOBODY_IS_KILLED = Policy([Override(CONNECTION, CLOSE, IGNORED)])


def before_anything_is_done(capture: str, side: Side) -> int | None:
    """The frame up to which a real peer does what it did without any data in the rings."""
    session = Session(known=load(str(path_of(capture)), side).known)
    frame = None
    for event in session.events(load(str(path_of(capture)), side).records):
        message = event.message
        if message is None or message.row is None or message.layout is None:
            continue
        fields = to_fields(message.layout, message.values)
        # Where it asks for an address of the guest's, it has found a buffer.
        asks = event.record.channel is Channel.BACKEND and message.row.effect is Effect.UPDATE_IOTLB
        stops = message.row.effect is Effect.STOP_RING or (
            message.row.effect is Effect.ENABLE_RING and not fields["num"]
        )
        if asks or (stops and side is Side.BACK_END):
            return frame
        frame = event.record.frame
    return None


def script(capture: str, side: Side) -> Script:
    return load(str(path_of(capture)), side, last=before_anything_is_done(capture, side))


def played(capture: str, side: Side, meeting: Meeting) -> Outcome:
    outcome = replay(script(capture, side), meeting, _NOBODY_IS_KILLED, _PATIENCE)
    print(*report(outcome, capture, Style(False)), sep="\n")
    return outcome


QUICK = [name for name, capture in CAPTURES.items() if capture.quick]


@pytest.mark.parametrize("capture", QUICK)
def test_the_back_end_answers_as_it_did(capture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    situation = CAPTURES[capture].situation
    monkeypatch.chdir(tmp_path)
    if situation.front_end_listens:
        with Waiting.at(BACK) as meeting, situation.back_end(tmp_path, BACK):
            outcome = played(capture, Side.FRONT_END, meeting)
    else:
        with situation.back_end(tmp_path, BACK):
            outcome = played(capture, Side.FRONT_END, Calling.at(BACK))

    assert outcome.ok
    assert outcome.received > 0


@pytest.mark.parametrize("capture", [name for name in QUICK if not CAPTURES[name].resumed])
def test_the_front_end_gets_through_its_start(capture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    situation = CAPTURES[capture].situation
    monkeypatch.chdir(tmp_path)
    if situation.front_end_listens:
        with situation.front_end(tmp_path, FRONT):
            outcome = played(capture, Side.BACK_END, Calling.at(FRONT))
    else:
        with Waiting.at(FRONT) as meeting, situation.front_end(tmp_path, FRONT):
            outcome = played(capture, Side.BACK_END, meeting)

    assert outcome.ok
    assert outcome.received > 0
