"""The page of two sessions in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conversation import Conversation
from tests.report.browser import Browser, browser
from tests.report.examples import HOSTILE
from vudissect.analysis import Analysis, read
from vudissect.capture.record import Record
from vudissect.compare.captures import by_connection, compare_captures
from vudissect.report.difference import difference_page

pytestmark = pytest.mark.peers

CAPTURES = Path(__file__).parents[2] / "captures"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        running.size(1280, 800)
        yield running


def show(chromium: Browser, folder: Path, *sources: Path | list[Record]) -> None:
    """Open the page of two captures."""
    ours, theirs = (
        by_connection((event for event, _ in Analysis(read(source), rules=())), 100_000) for source in sources
    )
    page = folder / "page.html"
    page.write_text(difference_page(compare_captures(ours, theirs), ("good", "bad"), ()), "utf-8")
    chromium.problems.clear()
    chromium.requests.clear()
    chromium.open(f"file://{page}")


def test_equal_messages_are_folded(chromium: Browser, tmp_path: Path) -> None:
    show(chromium, tmp_path, CAPTURES / "qemu-7.2-blk-qsd.pcapng", CAPTURES / "qemu-10.0-blk-qsd.pcapng")
    folded = "[...document.querySelectorAll('details')]"

    assert chromium.evaluate(f"{folded}.length") > 0
    assert chromium.evaluate(f"{folded}.every((each) => !each.querySelector('li').checkVisibility())")
    chromium.evaluate("document.querySelector('summary').click()")
    assert chromium.evaluate("document.querySelector('details li').checkVisibility()")


def test_both_sides_fit_into_the_window(chromium: Browser, tmp_path: Path) -> None:
    show(chromium, tmp_path, CAPTURES / "qemu-7.2-blk-qsd.pcapng", CAPTURES / "qemu-10.0-blk-qsd.pcapng")

    assert chromium.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_nothing_from_a_peer_runs_or_is_fetched(chromium: Browser, tmp_path: Path) -> None:
    good, bad = Conversation(), Conversation()
    good.open("qemu-kvm", "my-daemon")
    bad.open(HOSTILE, HOSTILE)
    for talk in (good, bad):
        talk.ask("GET_FEATURES")

    show(chromium, tmp_path, good.records, bad.records)

    assert chromium.evaluate("document.querySelectorAll('script, img').length") == 0
    assert HOSTILE in chromium.evaluate("document.body.textContent")
    assert chromium.problems == []
    assert len(chromium.requests) == 1
