"""Tests of the toy disk: they replay a recorded session against it and check the replies."""

import sys
from pathlib import Path

import pytest

from vudissect.testing import assert_conforms

BACK_END = [sys.executable, "backend.py", "--socket-path={socket}"]
FRONT_END = [sys.executable, "frontend.py", "--socket-path={socket}"]
CAPTURES = Path(__file__).parent / "captures"


@pytest.mark.vudissect("captures/boot.pcapng", role="front-end")
def test_the_disk_answers_as_it_did(vudissect_replay):
    """The recorded front-end against today's disk."""
    replayed = vudissect_replay(BACK_END, peer=FRONT_END)

    assert replayed.output == "a front-end has connected\n"


@pytest.mark.vudissect("captures/boot.pcapng", role="back-end")
def test_the_front_end_sends_what_it_sent(vudissect_replay):
    """The recorded disk against today's front-end."""
    vudissect_replay(FRONT_END, peer=BACK_END)


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.pcapng")), ids=lambda path: path.stem)
def test_the_captures_conform_to_the_specification(capture):
    """The recorded sessions have no errors of their own."""
    assert_conforms(capture)
