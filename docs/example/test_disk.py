"""The tests of the toy disk: what front-ends once said to it is a file, and is said again."""

import sys
from pathlib import Path

import pytest

from vudissect.testing import assert_conforms

BACK_END = [sys.executable, "backend.py", "--socket-path={socket}"]
FRONT_END = [sys.executable, "frontend.py", "--socket-path={socket}"]
CAPTURES = Path(__file__).parent / "captures"


@pytest.mark.vudissect("captures/boot.pcapng", role="front-end")
def test_the_disk_answers_as_it_did(vudissect_replay):
    """The recorded front-end against the disk of today."""
    replayed = vudissect_replay(BACK_END, peer=FRONT_END)

    assert replayed.output == "a front-end has come\n"


@pytest.mark.vudissect("captures/boot.pcapng", role="back-end")
def test_the_front_end_says_what_it_said(vudissect_replay):
    """The recorded disk against the front-end of today."""
    vudissect_replay(FRONT_END, peer=BACK_END)


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.pcapng")), ids=lambda path: path.stem)
def test_the_captures_are_what_the_specification_wants(capture):
    """What becomes a test is without errors itself."""
    assert_conforms(capture)
