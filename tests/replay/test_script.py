"""Which parts of a capture can be played."""

from typing import Any

import pytest

from tests.replay.talks import records_of
from vudissect.capture.record import Mark, Record
from vudissect.replay import Side, script_of

TALK = ("F>B GET_FEATURES", "B>F GET_FEATURES -> VERSION_1", "F>B SET_VRING_CALL ring 0 +evt#1")


def changed(frame: int, **what: Any) -> list[Record]:
    return [record._replace(**what) if record.frame == frame else record for record in records_of(*TALK)]


def test_a_complete_capture_has_no_obstacles() -> None:
    script = script_of(records_of(*TALK), Side.FRONT_END)

    assert script.obstacles == ()
    assert script.whole
    assert [record.frame for record in script.messages] == [2, 3, 4]


@pytest.mark.parametrize(
    ("frame", "what", "says"),
    [
        (4, {"marks": Mark.DESCRIPTORS_LOST}, "#4: descriptors of this message, to be sent, were lost"),
        (2, {"marks": Mark.CUT_SHORT}, "#2: this message, to be sent, was never complete"),
        (3, {"length": 30}, "#3: only 20 of 30 bytes of this message, to be received, are known"),
    ],
)
def test_missing_parts_are_reported(frame: int, what: dict[str, object], says: str) -> None:
    assert script_of(changed(frame, **what), Side.FRONT_END).obstacles == (says,)


def test_a_gap_is_reported() -> None:
    records = records_of(TALK[0], "--- 5 messages are missing here: full", *TALK[1:])

    assert script_of(records, Side.FRONT_END).obstacles == ("#3: 5 messages are missing here",)


def test_missing_parts_outside_the_played_frames_do_not_matter() -> None:
    records = changed(2, marks=Mark.CUT_SHORT)

    assert script_of(records, Side.FRONT_END, first=3).obstacles == ()


def test_frames_before_the_first_are_known_but_not_played() -> None:
    script = script_of(records_of(*TALK), Side.FRONT_END, first=3, last=3)

    assert [record.frame for record in script.records] == [1, 2, 3]
    assert [record.frame for record in script.messages] == [3]
    assert not script.whole
