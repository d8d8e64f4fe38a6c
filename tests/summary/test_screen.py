"""A summary fits on a screen of 80 columns and 24 lines, and settles each known bug there."""

import shlex
from pathlib import Path

import pytest

from tests.conversation import Conversation
from tests.interop.scenarios import SCENARIOS, Scenario
from vudissect.analysis import Analysis, Source, read
from vudissect.conversation.text import read_conversation
from vudissect.filter import compile_filter
from vudissect.render.style import Style
from vudissect.render.summary import summary_lines
from vudissect.summary.collect import Collector

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pcapng"))
WIDTH, HEIGHT = 80, 24

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.path.stem)


def screen(source: Source, width: int = WIDTH, *, short: bool = False) -> list[str]:
    collector, analysis = Collector(), Analysis(read(source))
    for _ in collector.watch(analysis.ahead()):
        pass
    file = str(source) if isinstance(source, Path) else "talk.pcapng"
    summary = collector.finish(analysis.session, analysis.finish(), file)
    return [*summary_lines(summary, Style(False), width, short=short)]


def words(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


@every_scenario
def test_the_first_screen_settles_each_known_bug(scenario: Scenario) -> None:
    shown = screen(read_conversation(scenario.text).records)
    text = words([line[12:] for line in shown])

    assert len(shown) < HEIGHT
    for expected in scenario.expected:
        finding = next(finding for finding in scenario.findings() if expected.fits(finding))
        assert expected.rule in text
        assert expected.blame in text.replace("both sides", "both")
        assert " ".join(finding.message.split()) in text


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_capture_fits_on_a_screen(path: Path) -> None:
    *shown, last = screen(path)

    assert len(shown) < HEIGHT - 1
    assert [line for line in shown if len(line) > WIDTH] == []
    command = shlex.split(last.removeprefix("next"))
    assert command[:3] == ["vudissect", "show", str(path)]
    assert [compile_filter(text) for text in command[4:]] or len(command) == 3


def test_a_wide_screen_is_used() -> None:
    path = next(path for path in CAPTURES if path.stem == "qemu-7.2-net-iommu-dpdk-22.11")

    assert max(map(len, screen(path, 120)[:-1])) in range(81, 121)


def test_the_short_form_has_the_answer_and_the_end() -> None:
    talk = Conversation()
    talk.open("qemu", "disk")
    talk.front_end("GET_FEATURES")
    talk.close("back-end")
    lines = screen(talk.records, short=True)

    assert [line.partition(" ")[0] for line in lines if line[:1].strip()] == [
        "verdict",
        "capture",
        "device",
        "rings",
        "end",
        "next",
    ]


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    talk = Conversation()
    talk.open("\x1b[31mqemu", "virtio\nfsd")
    talk.front_end("GET_FEATURES")

    assert "\x1b" not in "".join(screen(talk.records))
    assert any(line.startswith("back-end    virtio\\nfsd") for line in screen(talk.records))


def test_a_ring_that_runs_is_shown_with_its_position() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_NUM", index=0, num=256)
    talk.front_end("SET_VRING_BASE", index=0, num=7)
    talk.front_end("SET_VRING_KICK", index=0, nofd=1)
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    talk.front_end("SET_VRING_KICK", index=1, nofd=1)

    (line,) = (line for line in screen(talk.records) if line.startswith("rings"))
    assert line == "rings       0 running from 7 of 256, 1 started, not enabled"


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    lines = screen(talk.records)

    assert "unknown     the beginning of connection 1 was not recorded: what was set before" in lines
    assert [line for line in lines if line.startswith(("front-end", "features", "memory"))] == [
        "front-end   unknown",
        "features    unknown",
        "memory      unknown",
    ]
