"""The process of the live transcript: whatever happens to it, the proxy ends."""

import os
import signal

import pytest

from vudissect.capture.codec import CaptureEncoder
from vudissect.proxy import companion
from vudissect.proxy.companion import Feed
from vudissect.proxy.observer import Observer, Report

PREAMBLE = CaptureEncoder("test", "test", 65536, 0).preamble()


def gap(messages: int, reason: str) -> bytes:
    raise AssertionError("nothing is missing")


def start() -> Observer:
    return Observer(["--capture=talk.pcapng"], Feed(PREAMBLE, gap, print))


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_reports_what_it_has_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Observer, "patience", 60)
    observing = start()
    observing.sink.close()

    observing.finish()

    assert observing.found == Report({"malformed": 0, "unanswered": 0, "findings": 0})
    assert is_gone(observing.pid)


def test_one_that_does_not_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Observer, "patience", 0.01)
    observing = start()
    os.kill(observing.pid, signal.SIGSTOP)
    observing.sink.close()

    observing.finish()

    assert observing.found == Report()
    assert is_gone(observing.pid)


def test_one_that_cannot_be_ended_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Observer, "patience", 0.01)
    monkeypatch.setattr(companion, "_LAST_SECONDS", 0.01)
    observing = start()
    os.kill(observing.pid, signal.SIGSTOP)
    observing.sink.close()
    # As if it hung in the kernel.
    with monkeypatch.context() as kernel:
        kernel.setattr(os, "kill", lambda *_: None)
        observing.finish()

    assert observing.found == Report()
    os.kill(observing.pid, signal.SIGKILL)
    os.waitpid(observing.pid, 0)


def test_one_that_is_no_longer_needed() -> None:
    observing = start()
    observing.abandon()

    assert is_gone(observing.pid)
