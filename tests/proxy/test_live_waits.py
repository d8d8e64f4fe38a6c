"""What the live transcript shows of a session that hangs or dies. The times of the records are in the past."""

import json
import os
import re
import select
import subprocess
from collections.abc import Iterator
from time import monotonic_ns
from typing import cast

import pytest

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd, memfd
from vudissect.host.python import python_module

WAITS = r"! still waiting \d+ s for the answer to GET_FEATURES \(#2\)"


class Live:
    """A live transcript; `show` gives it what is new in a conversation."""

    def __init__(self, *options: str) -> None:
        self._report, report_end = os.pipe()
        self._process = subprocess.Popen(
            [
                *python_module("vudissect.cli.observe"),
                "--capture=talk.pcapng",
                "--report-fd",
                str(report_end),
                *options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[report_end],
        )
        os.close(report_end)
        self._given = 0

    def show(self, talk: Conversation) -> None:
        capture = talk.capture()
        assert self._process.stdin is not None
        self._process.stdin.write(capture[self._given :])
        self._process.stdin.flush()
        self._given = len(capture)

    def text_up_to(self, text: str) -> str:
        """What it shows, until this is in it."""
        assert self._process.stdout is not None
        shown = ""
        while text not in shown and select.select([self._process.stdout], [], [], 20)[0]:
            part = os.read(self._process.stdout.fileno(), 65536)
            if not part:
                break
            shown += part.decode()
        assert text in shown, shown
        return shown

    def rest(self) -> str:
        """What it shows up to its end."""
        return self._process.communicate(timeout=20)[0].decode()

    def finish(self) -> dict[str, object]:
        """Its report."""
        self.rest()
        with open(self._report, "rb") as report:
            found: dict[str, object] = json.loads(report.read())
        return found


@pytest.fixture
def live() -> Iterator[Live]:
    transcript = Live()
    yield transcript
    transcript._process.kill()
    transcript._process.wait()


def asking(seconds: float) -> Conversation:
    """A front-end that has been waiting for so long now."""
    talk = Conversation()
    talk.silence(monotonic_ns() - int(seconds * SECOND))
    talk.open("qemu-kvm", "my-daemon")
    talk.front_end("GET_FEATURES")
    return talk


def test_a_hang_is_in_sight_while_it_lasts(live: Live) -> None:
    live.show(asking(7))

    assert re.search(WAITS, live.text_up_to("GET_FEATURES (#2)"))


def test_the_answer_that_comes_at_last_is_late(live: Live) -> None:
    talk = asking(7)
    live.show(talk)
    live.text_up_to("(#2)")
    talk.back_end("GET_FEATURES", features=0, after=7 * SECOND)
    live.show(talk)

    assert "[#2 +7.000s, late]" in live.text_up_to("late]")


def test_the_report_has_what_never_came(live: Live) -> None:
    talk = asking(7)
    talk.close("front-end", after=7500 * MILLISECOND)
    live.show(talk)

    report = live.finish()

    assert report["waits"] == ["7 s for the answer to GET_FEATURES (#2)"]


def test_the_report_has_what_still_waits(live: Live) -> None:
    live.show(asking(9))

    report = live.finish()

    assert report["counts"] == {"malformed": 0, "unanswered": 1, "findings": 1}
    (wait,) = cast(list[str], report["waits"])
    assert wait.endswith(" s for the answer to GET_FEATURES (#2)")


def test_the_report_is_silent_about_what_could_not_have_come_yet(live: Live) -> None:
    live.show(asking(-60))

    assert live.finish()["waits"] == []


def test_a_back_end_that_dies_while_rings_run_is_in_sight(live: Live) -> None:
    talk = Conversation()
    talk.open("qemu-kvm", "my-daemon")
    talk.ask("GET_FEATURES", features=1 << 32)
    talk.front_end("SET_FEATURES", features=1 << 32)
    talk.front_end("SET_MEM_TABLE", regions=[{"size": 1 << 20}], descriptors=(memfd(),))
    for ring in (0, 1):
        talk.front_end("SET_VRING_KICK", index=ring, descriptors=(eventfd(ring),))
    talk.silence(3 * SECOND)
    talk.close("back-end", "reset")
    live.show(talk)

    shown = live.text_up_to("VU-END-01")

    assert "the back-end closed the connection (reset) while rings 0, 1 were running" in shown
