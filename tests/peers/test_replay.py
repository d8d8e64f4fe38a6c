"""Replays every capture against the programs that it was made with: one side is replayed, the other is real."""

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
    Connector,
    Dial,
    Listen,
    Options,
    Outcome,
    Override,
    Policy,
    Script,
    Side,
    load,
    replay,
)
from vudissect.session.session import Session
from vudissect.wire.fields import to_fields

pytestmark = pytest.mark.peers

_STOP_AT_DIFFERENCE = Options(timeout=20)
_KEEP_GOING = Options(timeout=20, keep_going=True)
# A back-end that was killed in the recording is not killed now, and accepts the next connection.
_NOT_KILLED = Policy([Override(CONNECTION, CLOSE, IGNORED)])
# libblkio has no guest: its guest addresses are its own, which differ in each process.
# UML's memory begins where its own program ends, which differs in each process, and so does the size of its file.
_POLICIES = {
    "libblkio-1.5-qsd-10.0": Policy([Override("ADD_MEM_REG", "guest_addr", IGNORED)]),
    "uml-6.1-blk-qsd-7.2": Policy(
        [Override("SET_MEM_TABLE", "regions.mmap_offset", IGNORED), Override("SET_MEM_TABLE", "fds.size", IGNORED)]
    ),
}


def last_frame_without_data(capture: str, side: Side) -> int | None:
    """The last frame up to which a real peer behaves as recorded although the rings are empty."""
    recorded = load(str(path_of(capture)), side)
    frame, postcopy = None, False
    for event in Session(known=recorded.known).events(recorded.records):
        message = event.message
        if message is None or not message.fits:
            continue
        if message.reply:
            frame = event.record.frame
            continue
        purpose, fields = message.row.purpose, to_fields(message.layout, message.values)
        # A peer that asks for a guest address, or has an image to display, has found a buffer; a disk grows only on
        # command.
        asks = event.record.channel is not Channel.MAIN and (side is Side.FRONT_END or purpose is Purpose.UPDATE_IOTLB)
        # A guest migrates only on command, and a replay has no device state.
        migrates = purpose is Purpose.START_STATE_TRANSFER or (purpose is Purpose.SET_LOG and side is Side.BACK_END)
        stops = (
            purpose is Purpose.STOP_RING
            or (purpose is Purpose.ENABLE_RING and not fields["num"])
            or (purpose is Purpose.SET_STATUS and not fields["status"])
        )
        # A replay cannot supply the memory of a postcopy migration, and the back-end waits for the rings in it.
        postcopy |= purpose is Purpose.START_POSTCOPY
        if asks or migrates or (stops and side is Side.BACK_END) or (postcopy and purpose is Purpose.SET_KICK):
            return frame
        frame = event.record.frame
    # A front-end that exits without stopping its rings does so when its work is done.
    return frame if side is Side.BACK_END else None


def script(capture: str, side: Side) -> Script:
    return load(str(path_of(capture)), side, last=last_frame_without_data(capture, side))


def played(capture: str, side: Side, connector: Connector) -> Outcome:
    policy = _POLICIES.get(capture, _NOT_KILLED)
    outcome = replay(script(capture, side), connector, policy, _STOP_AT_DIFFERENCE)
    print(*report(outcome, capture, Style(False)), sep="\n")
    return outcome


def of(names: Iterable[str]) -> pytest.MarkDecorator:
    marks = {True: (), False: (pytest.mark.peers_slow,)}
    return pytest.mark.parametrize(
        "capture", [pytest.param(name, marks=marks[CAPTURES[name].quick], id=name) for name in names]
    )


@of(CAPTURES)
def test_the_back_end_answers_as_recorded(capture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    situation = CAPTURES[capture].situation
    monkeypatch.chdir(tmp_path)
    if situation.front_end_listens:
        with Listen.at(BACK) as connector, situation.back_end(tmp_path, BACK):
            outcome = played(capture, Side.FRONT_END, connector)
    else:
        with situation.back_end(tmp_path, BACK):
            outcome = played(capture, Side.FRONT_END, Dial.at(BACK))

    assert outcome.ok
    assert outcome.received > 0


@of(name for name in CAPTURES if not CAPTURES[name].resumed)
def test_the_front_end_starts_as_recorded(capture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    situation = CAPTURES[capture].situation
    monkeypatch.chdir(tmp_path)
    if situation.front_end_listens:
        with situation.front_end(tmp_path, FRONT):
            outcome = played(capture, Side.BACK_END, Dial.at(FRONT))
    else:
        with Listen.at(FRONT) as connector, situation.front_end(tmp_path, FRONT):
            outcome = played(capture, Side.BACK_END, connector)

    assert outcome.ok
    assert outcome.received > 0


def differences(outcome: Outcome) -> list[tuple[str, str, Value, Value]]:
    return [
        (difference.message, difference.field, difference.expected, difference.got)
        for difference in outcome.differences
    ]


@pytest.mark.peers_slow
def test_another_version_of_the_back_end_has_known_differences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with CAPTURES["qemu-10.0-blk-qsd"].situation.back_end(tmp_path, BACK):
        outcome = replay(script("qemu-7.2-blk-qsd", Side.FRONT_END), Dial.at(BACK), None, _KEEP_GOING)

    # libvhost-user supports more memory regions since 2024-03.
    assert differences(outcome) == [("GET_MAX_MEM_SLOTS", "slots", 32, 509)]
    assert outcome.unplayed == []


@pytest.mark.peers_slow
def test_another_version_of_the_front_end_has_known_differences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Listen.at(FRONT) as connector, CAPTURES["qemu-10.0-blk-qsd"].situation.front_end(tmp_path, FRONT):
        outcome = replay(script("qemu-7.2-blk-qsd", Side.BACK_END), connector, None, _KEEP_GOING)

    # The firmware uses the whole ring; since 8.2 (d7dc0682f5), QEMU waits until a ring is enabled.
    assert differences(outcome) == [
        ("SET_VRING_NUM", "num", 128, 256),
        ("SET_VRING_ENABLE", "flags.need_reply", 0, 1),
    ]
    assert outcome.unplayed == []
