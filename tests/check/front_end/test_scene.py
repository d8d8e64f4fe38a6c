"""When nothing more is to come from a front-end: one may work for long, and one may always work."""

import time

import pytest

from vudissect.check.front_end import scene as module
from vudissect.check.front_end.scene import Course, Scene
from vudissect.check.link import Clock
from vudissect.check.program import Connecting
from vudissect.protocol.devices.storage import BLK

QUIET = 1000.0
"""Seconds without a word, after which nothing more is expected of most."""


def has_stopped(
    monkeypatch: pytest.MonkeyPatch, silence: float, *, works: bool, polls: bool, flawed: bool = False
) -> bool:
    """`works`: its processor is busy now. `polls`: so it was in the end, when it had nothing to do."""
    monkeypatch.setattr(module, "busy", lambda pid, clock: float(works))
    scene = Scene(Connecting("", Clock()), BLK, QUIET, Course(("GET_FEATURES",), polls=polls))
    scene.flawed = flawed
    last = time.monotonic() - silence
    return scene.has_stopped(last, last)


def test_one_that_sleeps_sends_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_stopped(monkeypatch, 1.5 * QUIET, works=False, polls=False)


def test_one_that_works_may_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_stopped(monkeypatch, 1.5 * QUIET, works=True, polls=False)


def test_one_that_always_works_is_waited_for_as_long_as_nothing_was_done_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The firmware of a guest under nested KVM, on whose processor time no other is like it."""
    assert not has_stopped(monkeypatch, 1.5 * QUIET, works=True, polls=True)


def test_but_not_much_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_stopped(monkeypatch, 3.5 * QUIET, works=True, polls=True)


def test_after_a_flaw_the_silence_of_one_that_always_works_is_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_stopped(monkeypatch, 1.5 * QUIET, works=True, polls=True, flawed=True)
