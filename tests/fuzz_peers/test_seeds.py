"""Sessions from captures."""

from pathlib import Path

import pytest

from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.check.discovery import Discovered
from vudissect.conversation.text import read_conversation
from vudissect.fuzz.seeds import seeds_of
from vudissect.fuzz.steps import MOST_STEPS, HangUp, Message, read_steps, text_of

_CAPTURES = Path(__file__).parents[2] / "captures"


def recorded(text: str) -> list[Record]:
    return read_conversation(text).records


def test_only_what_the_front_end_sent_is_played() -> None:
    steps = seeds_of(recorded("F>B GET_FEATURES\nB>F GET_FEATURES none\nF>B SET_OWNER\n--- closed by back-end"))

    assert [step.name for step in steps] == ["GET_FEATURES", "SET_OWNER", "close"]


def test_a_session_after_a_session_is_another_connection() -> None:
    steps = seeds_of(recorded("c4 F>B GET_FEATURES\nc4 --- closed by front-end\nc9 F>B SET_OWNER"))

    assert [(step.name, step.connection) for step in steps if isinstance(step, Message | HangUp)] == [
        ("GET_FEATURES", 1),
        ("close", 1),
        ("SET_OWNER", 2),
    ]


def test_features_that_the_back_end_does_not_have_are_not_acknowledged() -> None:
    steps = seeds_of(recorded("F>B SET_FEATURES features=0x140000000"), Discovered(0x1_0000_0000, 0))

    assert steps[0].line == "F>B SET_FEATURES (virtio features) features=0x100000000"


def test_a_long_capture_is_cut() -> None:
    assert len(seeds_of(recorded("F>B SET_OWNER\n" * (MOST_STEPS + 10)))) == MOST_STEPS


def test_a_message_of_which_bytes_are_missing_is_left_out() -> None:
    assert seeds_of(recorded("F>B SET_OWNER\nF>B SET_VRING_NUM ring 0 cut_short=14")) == seeds_of(
        recorded("F>B SET_OWNER")
    )


@pytest.mark.parametrize("file", sorted(_CAPTURES.glob("*.pcapng")), ids=lambda file: file.stem)
def test_every_capture_is_a_seed_that_reads_back_as_text(file: Path) -> None:
    with file.open("rb") as stream:
        steps = seeds_of(read_capture(stream))

    assert steps
    assert read_steps(text_of(steps)) == steps
