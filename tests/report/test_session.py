"""The page of a session in a real browser: frames, filter, search, keyboard, addresses, states, and hostile content."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conversation import Conversation, eventfd
from tests.interop.scenarios import FIRST, SCENARIOS, Scenario
from tests.report.browser import Browser, browser
from tests.report.examples import HOSTILE
from vudissect.analysis import Analysis, read
from vudissect.capture.record import Record
from vudissect.conversation.text import read_conversation
from vudissect.filter import compile_filter
from vudissect.lint.finding import Finding
from vudissect.lint.groups import in_order
from vudissect.protocol.model import Side
from vudissect.report.frames import ROWS_IN_A_BLOCK, Frames, exact, keyed
from vudissect.report.session import session_page
from vudissect.summary.collect import Collector

pytestmark = pytest.mark.peers

CAPTURES = Path(__file__).parents[2] / "captures"
DISK = CAPTURES / "qemu-10.0-blk-qsd.pcapng"
KILLED = CAPTURES / "qemu-10.0-blk-qsd-back-end-killed.pcapng"
FLOOD = CAPTURES / "qemu-7.2-net-iommu-dpdk-22.11.pcapng"
SELECTED = "ready.then((session) => session.rows[session.diagram.selected].frame)"
FILTER = "document.getElementById('filter-text')"
SHOWN = "ready.then((session) => session.diagram.shown.map((place) => session.rows[place].frame))"
Open = Callable[..., Browser]


def page(records: Any, name: str = "talk.pcapng") -> str:
    """The page of a capture."""
    collector, analysis = Collector(), Analysis(records)
    found: list[Finding] = []

    def judged() -> Iterator[Any]:
        for event, findings in collector.watch(analysis):
            found.extend(findings)
            yield event, findings

    frames = Frames(judged())
    blocks = list(frames.blocks())
    rest = analysis.finish()
    summary = collector.finish(analysis.session, rest, name)
    return session_page(summary, found + rest, frames, blocks)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        running.size(1280, 800)
        yield running


@pytest.fixture
def show(chromium: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a capture; at the end nothing may have gone wrong in it."""

    def open_page(source: Path | list[Record], fragment: str = "") -> Browser:
        # A name for each: else the browser would stay on the page, and only the fragment would change.
        path = tmp_path / f"{len([*tmp_path.iterdir()])}.html"
        path.write_text(page(read(source)), "utf-8")
        chromium.open(f"file://{path}{fragment}")
        chromium.evaluate("ready.then((session) => session.showing)")
        return chromium

    chromium.problems.clear()
    yield open_page
    assert chromium.problems == []


def text(chromium: Browser, of: str = "frame") -> str:
    """The text of a part of the page, once the selected frame is there."""
    chromium.evaluate("ready.then((session) => session.showing)")
    return str(chromium.evaluate(f"document.getElementById('{of}').innerText"))


def test_the_first_frame_with_a_finding_is_selected(show: Open) -> None:
    assert show(KILLED).evaluate(SELECTED) == 46


def test_an_address_selects_its_frame(show: Open) -> None:
    chromium = show(DISK, "#frame=41")

    assert chromium.evaluate(SELECTED) == 41
    assert text(chromium).startswith("#41 ")


def test_the_address_follows_the_selection(show: Open) -> None:
    chromium = show(DISK, "#frame=41")
    chromium.evaluate("document.getElementById('diagram').focus()")
    chromium.press("ArrowDown")

    assert chromium.evaluate("location.hash") == "#frame=42"


def test_an_address_keeps_a_filter_that_hides_its_frame(show: Open) -> None:
    chromium = show(DISK, "#frame=41&filter=kind%3Devent")

    assert chromium.evaluate(SELECTED) == 41
    assert chromium.evaluate(f"{FILTER}.value") == "kind=event"


def test_a_frame_that_does_not_exist_is_reported(show: Open) -> None:
    assert "Frame 4100 is not in this page" in text(show(DISK, "#frame=4100"), "problem")


def test_links_of_findings_select_their_frames(show: Open) -> None:
    chromium = show(KILLED)
    chromium.evaluate("document.querySelector('ol.findings a[href=\"#frame=43\"]').click()")

    assert chromium.evaluate(SELECTED) == 43


def test_keys_go_to_the_request_of_an_answer_and_back(show: Open) -> None:
    chromium = show(DISK, "#frame=20")
    chromium.press("r")
    assert chromium.evaluate(SELECTED) == 19

    chromium.press("r")
    assert chromium.evaluate(SELECTED) == 20


def test_search_goes_to_the_next_place(show: Open) -> None:
    chromium = show(DISK, "#frame=1")
    chromium.press("/")
    chromium.type("get_config")
    chromium.press("Enter")
    assert chromium.evaluate(SELECTED) == 19

    chromium.press("Enter")
    assert chromium.evaluate(SELECTED) == 20


def test_escape_clears_the_filter(show: Open) -> None:
    chromium = show(DISK)
    everything = chromium.evaluate(SHOWN)
    chromium.press("f")
    chromium.type("ring=0")
    assert len(chromium.evaluate(SHOWN)) < len(everything)

    chromium.press("Escape")
    assert chromium.evaluate(SHOWN) == everything


FILTERS = (
    "SET_VRING_*",
    "set_vring_* and not ring=0",
    "ring=0",
    "!IOTLB_MSG and !IOTLB*",
    "*FEATURES or ring>=1",
    "VHOST_USER_GET_CONFIG",
    "SET_SLAVE_REQ_FD",
    "from=front-end",
    "from!=master",
    "channel=backend",
    "channel!=main",
    "kind=reply or kind=ack",
    "kind=event",
    "connection=2",
    "frame>=20 and frame<0x1e",
    "elapsed>10ms",
    "latency>0.1ms",
    "latency!=0ns",
    "has:fd",
    "has:finding",
    "severity>=warning",
    "severity=info",
    "blame=back-end",
    "rule=VU-END",
    "rule!=VU-END-01",
    "24",
    "not (SET_* or GET_*) and not (not has:fd)",
    "GET_??????",
    "frame=1k",
)


@pytest.mark.parametrize("capture", [DISK, KILLED, FLOOD], ids=lambda path: path.stem)
def test_the_filter_of_the_page_selects_what_the_language_selects(show: Open, capture: Path) -> None:
    chromium = show(capture)
    judged = [*Analysis(read(capture))]
    for wanted in FILTERS:
        test = compile_filter(wanted)
        expected = [event.record.frame for event, findings in judged if test(event, findings)]
        shown = chromium.evaluate(
            "ready.then((session) => { const test = compileFilter("
            f"{wanted!r}, session.about); return session.rows.filter(test).map((row) => row.frame) }})"
        )

        assert shown == expected, wanted


@pytest.mark.parametrize(
    "wrong", ["ring", "ring=", "(ring=1", "ring=1)", "ring=x", "from<proxy", "has:x", "num=7", "a b"]
)
def test_a_filter_that_is_wrong_is_reported(show: Open, wrong: str) -> None:
    chromium = show(DISK)
    chromium.evaluate(f"{FILTER}.value = {wrong!r}, {FILTER}.dispatchEvent(new Event('input'))")

    assert chromium.evaluate("document.getElementById('problem').hidden") is False
    assert chromium.evaluate("document.getElementById('filter-text').ariaInvalid") == "true"


def test_a_frame_has_its_state_before_and_after(show: Open) -> None:
    chromium = show(DISK, "#frame=14")

    assert "owner\tunknown since #14" in text(chromium)
    assert chromium.evaluate("document.querySelectorAll('#frame .state .changed').length") == 2


def test_fields_mark_their_bytes(show: Open) -> None:
    chromium = show(DISK, "#frame=20")
    fields = "Array.from(document.querySelectorAll('.fields li'))"
    chromium.evaluate(f"{fields}.find((each) => each.innerText.startsWith('size = 57')).focus()")

    assert chromium.evaluate("Array.from(document.querySelectorAll('.bytes .marked'), (each) => each.innerText)") == [
        "39",
        "00",
        "00",
        "00",
    ]


@pytest.mark.parametrize("capture", [DISK, KILLED, FLOOD], ids=lambda path: path.stem)
def test_the_differences_add_up_to_the_states_of_the_session(show: Open, capture: Path) -> None:
    chromium = show(capture)
    analysis = Analysis(read(capture), rules=())
    for event, _ in analysis:
        frame = event.record.frame
        # Blocks begin at 501, 1001 and so on.
        if capture is FLOOD and frame % ROWS_IN_A_BLOCK not in (0, 1, 2, 77):
            continue
        after = chromium.evaluate(f"ready.then((session) => session.around({frame - 1})).then((all) => all[2])")
        waiting = [request["frame"] for request in after.pop("waiting")]
        owed = analysis.session.pairing(event.record.connection).owed()

        assert after == exact(keyed(event.after)), frame
        assert waiting == sorted(request.frame for request in owed), frame


def test_a_line_has_no_place_of_its_own(show: Open) -> None:
    texts = show(KILLED).evaluate("ready.then((session) => session.rows.map((row) => row.text))")

    assert not [each for each in texts if "F>B" in each or "B>F" in each or "---" in each]


def test_requests_that_are_never_answered_wait(show: Open) -> None:
    """Any number may, so they are not in the states."""
    talk = Conversation()
    for _ in range(3 * ROWS_IN_A_BLOCK):
        talk.front_end("GET_FEATURES")
    chromium = show([*talk.records], f"#frame={3 * ROWS_IN_A_BLOCK}")

    assert "GET_FEATURES (#8) and 1492 more" in text(chromium)


def test_repetition_is_folded(show: Open) -> None:
    chromium = show(FLOOD)
    folded = chromium.evaluate("ready.then((session) => session.diagram.lines.length)")
    chromium.evaluate("document.getElementById('fold').click()")

    assert chromium.evaluate("ready.then((session) => session.diagram.lines.length)") > 2 * folded


def test_a_silence_is_drawn(show: Open) -> None:
    kinds = show(KILLED).evaluate("ready.then((session) => session.diagram.lines.map((line) => line.kind))")

    assert "gap" in kinds


def test_only_what_is_in_the_window_is_in_the_document(show: Open) -> None:
    chromium = show(FLOOD)
    chromium.evaluate("document.getElementById('fold').click()")

    assert chromium.evaluate("document.querySelectorAll('.line').length") < 100


def test_nothing_from_a_peer_runs(show: Open) -> None:
    talk = Conversation()
    talk.open(HOSTILE, HOSTILE)
    talk.ask("GET_FEATURES", features=0)
    talk.front_end("SET_LOG_FD", descriptors=(eventfd(1)._replace(name=HOSTILE),))
    talk.raw(Side.FRONT_END, b"\xff\x07\0\0\x01\0\0\0" + bytes([len(HOSTILE), 0, 0, 0]) + HOSTILE.encode())
    chromium = show([*talk.records], "#frame=4")

    assert "<script>" in text(chromium)
    assert "<script>" in text(chromium, "answer")
    assert chromium.evaluate("document.title") != "owned"


def test_the_page_fetches_nothing(show: Open) -> None:
    show(DISK).requests.clear()

    assert {each.partition(":")[0] for each in show(DISK).requests} <= {"file", "data", "about", "blob"}


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_not_wider_than_its_window(show: Open, width: int) -> None:
    chromium = show(KILLED)
    chromium.size(width, 800)
    try:
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        chromium.size(1280, 800)


ON_FIRST_SCREEN = """
(() => {
  const walker = document.createTreeWalker(document.getElementById("answer"), NodeFilter.SHOW_TEXT);
  const seen = [];
  const range = document.createRange();
  while (walker.nextNode()) {
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    if (box.height && box.bottom <= innerHeight) seen.push(walker.currentNode.data);
  }
  return seen.join("");
})()
"""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.path.stem)
def test_the_first_screen_settles_each_known_bug(show: Open, scenario: Scenario) -> None:
    """The findings that explain it are there, each with its rule, who is to blame, and the whole sentence."""
    records = read_conversation(scenario.text).records
    seen = show(records).evaluate(ON_FIRST_SCREEN)
    found = in_order(Analysis(records).lint().findings)[:FIRST]
    explaining = [next(filter(expected.fits, found)) for expected in scenario.expected]

    assert explaining
    for finding in explaining:
        assert f"{finding.rule} {finding.blame.value}: {finding.message}" in seen
