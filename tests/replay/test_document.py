"""docs/replay.md is true: its policy, its example of a difference, its program."""

import re
from pathlib import Path

import pytest

from tests.cli.test_replay import OTHER, TALK
from tests.replay.talks import play
from vudissect.compare.policy import overrides_of_file
from vudissect.render.replay import report
from vudissect.render.style import Style

PAGE = (Path(__file__).parents[2] / "docs/replay.md").read_text()


def blocks(kind: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [block for its_kind, block in fenced if its_kind == kind]


def test_the_policy_is_valid() -> None:
    (policy,) = blocks("toml")

    assert len(overrides_of_file(policy, "docs/replay.md")) == 6


def test_the_difference_is_shown_as_documented() -> None:
    shown = next(block for block in blocks("") if block.startswith("different"))

    lines = list(report(play(TALK, OTHER), "talk", Style(False)))

    assert lines[:-1] == shown.splitlines()


def test_the_program_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = blocks("python")
    monkeypatch.chdir(Path(__file__).parents[2])

    # Nobody listens there, which is reported as a difference.
    exec(program.replace("timeout=5", "timeout=0.01"), {})

    assert "nobody listens at back.sock" in capsys.readouterr().out
