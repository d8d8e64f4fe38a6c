"""The page about filters is fresh, complete, and every example on it matches something, and not everything."""

import re
from pathlib import Path

import pytest

import vudissect
from tests.cli.program import run
from vudissect.analysis import Judged
from vudissect.filter import compile_filter
from vudissect.filter.keys import KEYS, THINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "filters.md").read_text("utf-8")
EXAMPLES = re.findall(
    r"^\| `([^`]+)` \| [^|]+ \|$", PAGE.partition("## Examples")[2].partition("\n## ")[0], re.MULTILINE
)
CAPTURES = ("qemu-7.2-net-iommu-dpdk-22.11", "qemu-10.0-blk-qsd-4-queues", "qemu-10.0-blk-qsd-resize", "qemu-10.0-gpu")


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return [each for name in CAPTURES for each in vudissect.analyse(ROOT / "captures" / f"{name}.pcapng")]


@pytest.mark.parametrize(
    "arguments", [("filters",), ("show", "--filter", "help"), ("lint", "-Y", "help")], ids=" ".join
)
def test_it_is_the_help(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).stdout.decode() == PAGE, "stale: run make docs"


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_matches_something_and_not_everything(text: str, judged: list[Judged]) -> None:
    wanted = compile_filter(text)

    assert {wanted(event, findings) for event, findings in judged} == {True, False}


@pytest.mark.parametrize("name", [*KEYS, *(f"has:{name}" for name in THINGS)])
def test_every_name_has_an_example(name: str) -> None:
    assert any(name in text for text in EXAMPLES)
