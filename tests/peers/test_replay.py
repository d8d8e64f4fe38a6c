"""Every capture against the programs that it was made with: one side played, the other real."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.peers.captures import CAPTURES, path_of
from tests.peers.situations.situation import BACK, FRONT
from vudissect.compare.outcome import Value
from vudissect.compare.policy import CLOSE, CONNECTION, IGNORED
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
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
from vudissect.wire.fields import to_fields

pytestmark = pytest.mark.peers

_PATIENCE = Options(timeout=20)
_TO_THE_END = Options(timeout=20, keep_going=True)
# A back-end that was killed then is not killed now, and goes on when it is called again.
_NOBODY_IS_KILLED = Policy([Override(CONNECTION, CLOSE, IGNORED)])
# libblkio has no guest: what it calls guest addresses are its own, which are others in each process.
_POLICIES = {"libblkio-1.5-qsd-10.0": Policy([Override("ADD_MEM_REG", "guest_addr", IGNORED)])}


def before_anything_is_done(capture: str, side: Side) -> int | None:
    """The frame up to which a real peer does what it did without any data in the rings."""
    recorded = load(str(path_of(capture)), side)
    frame, follows = None, False
    for event in Session(known=recorded.known).events(recorded.records):
        message = event.message
        if message is None or message.row is None or message.layout is None:
            continue
        if message.reply:
            frame = event.record.frame
            continue
        purpose, fields = message.row.purpose, to_fields(message.layout, message.values)
        # Where it asks for an address of the guest's, or has a picture to show, it has found a buffer; a disk becomes
        # larger when somebody says so.
        asks = event.record.channel is not Channel.MAIN and (side is Side.FRONT_END or purpose is Purpose.UPDATE_IOTLB)
        # A guest moves when somebody says so, and the state of its device comes from nowhere.
        moves = purpose is Purpose.START_STATE_TRANSFER or (purpose is Purpose.SET_LOG and side is Side.BACK_END)
        stops = (
            purpose is Purpose.STOP_RING
            or (purpose is Purpose.ENABLE_RING and not fields["num"])
            or (purpose is Purpose.SET_STATUS and not fields["status"])
        )
        # Memory that is to follow follows from nowhere, and the back-end waits for what a ring in it holds.
        follows |= purpose is Purpose.START_POSTCOPY
        if asks or moves or (stops and side is Side.BACK_END) or (follows and purpose is Purpose.SET_KICK):
            return frame
        frame = event.record.frame
    # A front-end that ends without stopping its rings does so when it has done what it was started for.
    return frame if side is Side.BACK_END else None


def script(capture: str, side: Side) -> Script:
    return load(str(path_of(capture)), side, last=before_anything_is_done(capture, side))


def played(capture: str, side: Side, meeting: Meeting) -> Outcome:
    policy = _POLICIES.get(capture, _NOBODY_IS_KILLED)
    outcome = replay(script(capture, side), meeting, policy, _PATIENCE)
    print(*report(outcome, capture, Style(False)), sep="\n")
    return outcome


def of(names: Iterable[str]) -> pytest.MarkDecorator:
    marks = {True: (), False: (pytest.mark.peers_slow,)}
    return pytest.mark.parametrize(
        "capture", [pytest.param(name, marks=marks[CAPTURES[name].quick], id=name) for name in names]
    )


@of(CAPTURES)
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


@of(name for name in CAPTURES if not CAPTURES[name].resumed)
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


def differences(outcome: Outcome) -> list[tuple[str, str, Value, Value]]:
    return [
        (difference.message, difference.field, difference.expected, difference.got)
        for difference in outcome.differences
    ]


@pytest.mark.peers_slow
def test_another_version_of_the_back_end_differs_in_what_it_does_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with CAPTURES["qemu-10.0-blk-qsd"].situation.back_end(tmp_path, BACK):
        outcome = replay(script("qemu-7.2-blk-qsd", Side.FRONT_END), Calling.at(BACK), None, _TO_THE_END)

    # libvhost-user has room for more memory regions since 2024-03.
    assert differences(outcome) == [("GET_MAX_MEM_SLOTS", "slots", 32, 509)]
    assert outcome.unplayed == []


@pytest.mark.peers_slow
def test_another_version_of_the_front_end_differs_in_what_it_does_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Waiting.at(FRONT) as meeting, CAPTURES["qemu-10.0-blk-qsd"].situation.front_end(tmp_path, FRONT):
        outcome = replay(script("qemu-7.2-blk-qsd", Side.BACK_END), meeting, None, _TO_THE_END)

    # The firmware takes the whole ring; QEMU waits for a ring to be enabled since 8.2 (d7dc0682f5).
    assert differences(outcome) == [
        ("SET_VRING_NUM", "num", 128, 256),
        ("SET_VRING_ENABLE", "flags.need_reply", 0, 1),
    ]
    assert outcome.unplayed == []
