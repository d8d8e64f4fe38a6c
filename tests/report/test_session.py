"""The page of a session in a real browser: frames, filter, search, keyboard, addresses, states, and hostile content."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conversation import Conversation, eventfd
from tests.interop.scenarios import FIRST, SCENARIOS, Scenario
from tests.report.browser import Browser, browser
from tests.report.examples import HOSTILE
from vudissect.analysis import Analysis, Judged, read
from vudissect.capture.record import Record
from vudissect.cli.report import MOST_FRAMES
from vudissect.conversation.text import read_conversation
from vudissect.filter import FilterError, compile_filter
from vudissect.filter.keys import KEYS, THINGS
from vudissect.lint.groups import in_order
from vudissect.protocol.model import Side
from vudissect.report import parts
from vudissect.report.capture import capture_page
from vudissect.report.frames import exact, keyed
from vudissect.report.parts import IN_A_CHUNK, Parts

pytestmark = pytest.mark.peers

CAPTURES = Path(__file__).parents[2] / "captures"
DISK = CAPTURES / "qemu-10.0-blk-qsd.pcapng"
KILLED = CAPTURES / "qemu-10.0-blk-qsd-back-end-killed.pcapng"
FLOOD = CAPTURES / "qemu-7.2-net-iommu-dpdk-22.11.pcapng"
SELECTED = "ready.then((session) => session.rows[session.diagram.selected].frame)"
FILTER = "document.getElementById('filter-text')"
SHOWN = "ready.then((session) => session.diagram.shown.map((place) => session.rows[place].frame))"
Open = Callable[..., Browser]
WHOLE = Parts(MOST_FRAMES)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        running.size(1280, 800)
        yield running


@pytest.fixture
def show(chromium: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a capture; at the end nothing may have gone wrong in it."""

    def open_page(source: Path | list[Record], fragment: str = "", part: Parts = WHOLE) -> Browser:
        # A name for each: else the browser would stay on the page, and only the fragment would change.
        path = tmp_path / f"{len([*tmp_path.iterdir()])}.html"
        path.write_text(capture_page(Analysis(read(source)), "talk.pcapng", part), "utf-8")
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
    "num>=256",
    "vring.num>=0x100",
    "SET_VRING_NUM.num!=256",
    "set_vring_n*.num=256",
    "SET_MEM_TABLE.regions.size>=128M",
    "regions.size<1M or size=0",
    "iotlb.type=MISS or iotlb.perm=RW",
    "type!=miss",
    "SET_FEATURES and features=VERSION_1",
    "features!=ring_packed",
    "features=MQ",
    "features=BLK_SIZE or features=MRG_RXBUF",
    "SET_PROTOCOL_FEATURES.features=REPLY_ACK",
    "mmap_size>=4K",
    "user_addr>=0x7f0000000000",
    "iova<4G",
    "contents!=00",
    "vring.nofd=0",
    "GET_CONFIG.offset=0 and flags!=1",
    "direction=SAVE or phase=STOPPED",
    "mac!=00:00:00:00:00:00",
    "nobody.has_this=1",
    "not num=0",
)


def selects(wanted: str, judged: Sequence[Judged]) -> list[int]:
    """The frames that the filter language selects: none, if no message of any dialect has what is asked for."""
    try:
        test = compile_filter(wanted)
    except FilterError:
        return []
    return [event.record.frame for event, findings in judged if test(event, findings)]


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.pcapng")), ids=lambda path: path.stem)
def test_the_filter_of_the_page_selects_what_the_language_selects(show: Open, capture: Path) -> None:
    judged = [*Analysis(read(capture))]
    shown = show(capture).evaluate(
        f"""ready.then(async (session) => {{
            await session.readValues();
            const frames = (text) => session.rows.filter(compileFilter(text, session.about)).map((row) => row.frame);
            return {json.dumps(FILTERS)}.map(frames);
        }})"""
    )

    assert dict(zip(FILTERS, shown, strict=True)) == {wanted: selects(wanted, judged) for wanted in FILTERS}


def test_bytes_and_large_numbers_are_compared_as_in_the_language(show: Open) -> None:
    talk = Conversation()
    talk.front_end("SEND_RARP", mac=bytes.fromhex("525400123456"))
    talk.ask("CREATE_CRYPTO_SESSION", session_id=-(1 << 62))
    talk.front_end("SET_FEATURES", features=(1 << 63) + 1)
    records = [*talk.records]
    judged = [*Analysis(records)]
    chromium = show(records)
    for wanted in ("mac=52:54:00:12:34:56", "session_id<-4G", "features=0x8000000000000001", "features!=MQ"):
        expected = selects(wanted, judged)
        shown = chromium.evaluate(
            "ready.then(async (session) => { await session.readValues();"
            f"return session.rows.filter(compileFilter({wanted!r}, session.about)).map((row) => row.frame) }})"
        )

        assert expected
        assert shown == expected, wanted


def test_each_name_before_an_operator_is_compared() -> None:
    text = " ".join(FILTERS)

    assert [key for key in KEYS if not re.search(rf"\b{key}(!=|=|<|>)", text)] == []
    assert [thing for thing in THINGS if f"has:{thing}" not in text] == []


def test_a_field_is_read_when_the_filter_asks_for_it(show: Open) -> None:
    chromium = show(DISK)
    chromium.evaluate(f"{FILTER}.value = 'SET_VRING_NUM.num>=256', {FILTER}.dispatchEvent(new Event('input'))")
    chromium.evaluate("ready.then((session) => session.readValues())")

    assert [*chromium.evaluate(SHOWN)] == selects("SET_VRING_NUM.num>=256", [*Analysis(read(DISK))])


@pytest.mark.parametrize(
    ("wanted", "remark"),
    [
        ("SET_VRNIG_NUM", "no message in this page is a SET_VRNIG_NUM"),
        ("nmu=256", "no message in this page has a field nmu"),
        ("features=NO_SUCH", "no field features in this page can be NO_SUCH"),
    ],
)
def test_what_is_not_in_the_page_is_reported(show: Open, wanted: str, remark: str) -> None:
    chromium = show(DISK)
    chromium.evaluate(f"{FILTER}.value = {wanted!r}, {FILTER}.dispatchEvent(new Event('input'))")

    assert chromium.evaluate("document.getElementById('problem').textContent") == remark
    assert chromium.evaluate("document.getElementById('filter-text').ariaInvalid") is None


@pytest.mark.parametrize(
    "wrong", ["ring", "ring=", "(ring=1", "ring=1)", "ring=x", "from<proxy", "has:x", "features<MQ", "a b"]
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
        if capture is FLOOD and frame % IN_A_CHUNK not in (0, 1, 2, 77):
            continue
        after = chromium.evaluate(f"ready.then((session) => session.around({frame - 1})).then((all) => all[2])")
        waiting = [request["frame"] for request in after.pop("waiting")]
        owed = analysis.session.pairing(event.record.connection).owed()

        assert after == exact(keyed(event.after)), frame
        assert waiting == sorted(request.frame for request in owed), frame


PART = Parts(MOST_FRAMES, first=600, last=1100)


def test_a_part_has_the_states_of_the_whole(show: Open) -> None:
    chromium = show(FLOOD, part=PART)
    for event, _ in Analysis(read(FLOOD), rules=()):
        frame = event.record.frame
        if frame in (600, 601, 850, 1099, 1100):
            after = chromium.evaluate(f"ready.then((session) => session.around({frame} - 600)).then((all) => all[2])")
            del after["waiting"]

            assert after == exact(keyed(event.after)), frame


def test_a_frame_that_is_left_out_is_reported(show: Open) -> None:
    chromium = show(FLOOD, "#frame=20", PART)

    assert "Frame 20 is not in this page; vudissect report --from and --to" in text(chromium, "problem")


@pytest.fixture
def shortened(show: Open, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """3,000 requests without an answer; only the first 500 and the last 1,000 of them are there."""
    monkeypatch.setattr(parts, "AT_AN_END", IN_A_CHUNK)
    talk = Conversation()
    for _ in range(3000):
        talk.front_end("GET_QUEUE_NUM")
    return show([*talk.records], "#frame=2001", Parts(1000))


def test_where_frames_are_left_out_there_is_a_line(shortened: Browser) -> None:
    cut = "ready.then((session) => session.diagram.lines.findIndex((line) => line.kind === 'cut'))"
    shortened.evaluate(f"{cut}.then((place) => document.getElementById('diagram').scrollTop = place * LINE)")
    shortened.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")

    assert shortened.evaluate("document.querySelector('.line.cut').innerText") == "1500 frames are not in this page"


def test_arrows_go_over_frames_that_are_left_out(shortened: Browser) -> None:
    shortened.evaluate("document.getElementById('diagram').focus()")
    shortened.press("ArrowUp")

    assert shortened.evaluate(SELECTED) == 500


def test_what_waited_before_a_cut_may_have_been_answered(shortened: Browser) -> None:
    assert "waiting for answers\tnone GET_QUEUE_NUM (#2001)" in text(shortened)


def test_a_line_has_no_place_of_its_own(show: Open) -> None:
    texts = show(KILLED).evaluate("ready.then((session) => session.rows.map((row) => row.text))")

    assert not [each for each in texts if "F>B" in each or "B>F" in each or "---" in each]


def test_requests_that_are_never_answered_wait(show: Open) -> None:
    """Any number may, so they are not in the states."""
    talk = Conversation()
    for _ in range(3 * IN_A_CHUNK):
        talk.front_end("GET_FEATURES")
    chromium = show([*talk.records], f"#frame={3 * IN_A_CHUNK}")

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


def test_points_of_the_latencies_select_their_frames(show: Open) -> None:
    chromium = show(DISK, "#frame=1")
    chromium.evaluate(
        "document.querySelector('#latencies svg a').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )

    assert chromium.evaluate("ready.then((session) => session.rows[session.diagram.selected].latency >= 0)") is True


SEEN = """\
--- connection front-end=qemu-kvm back-end=vhost-user-blk
F>B SET_VRING_NUM ring 0 num 8
--- ring 0: avail 65535, used 65535, 0 pending, kick 0, call 0
... 2s
--- ring 0: avail 2, used 1, 1 pending, kick 1, call 0
... 2s
--- ring 0:; not read: it is not in memory
"""


@pytest.fixture
def observed(show: Open) -> Browser:
    return show(read_conversation(SEEN).records)


def test_each_ring_has_a_chart(observed: Browser) -> None:
    lines = "Array.from(document.querySelectorAll('#rings svg path'), (path) => path.className.baseVal)"

    title = observed.evaluate("document.querySelector('#rings h3').innerText")

    assert title == "ring 0 of connection 1 (blk request), size 8"
    assert observed.evaluate(lines) == ["pending", "avail", "used", "kick", "call"]


def test_positions_are_counted_on_where_they_start_again(observed: Browser) -> None:
    assert observed.evaluate(
        "ready.then((session) => counted(session.about.rings[0].seen.map("
        "([frame, avail, used]) => ({ avail, used }))).map(({ avail, used }) => [avail, used]))"
    ) == [[0, 0], [3, 2], [None, None]]


def test_a_click_into_a_chart_selects_what_was_seen_then(observed: Browser) -> None:
    observed.evaluate("""
        (() => {
            const target = document.querySelector("#rings svg rect");
            const box = target.getBoundingClientRect();
            const place = { clientX: box.left + box.width * 0.75, clientY: box.top + 5, bubbles: true };
            target.dispatchEvent(new MouseEvent("click", place));
        })()
    """)

    assert observed.evaluate(SELECTED) == 4


def test_what_a_chart_shows_is_in_a_table_too(observed: Browser) -> None:
    observed.evaluate("document.querySelector('#rings summary').click()")
    rows = "Array.from(document.querySelectorAll('.samples tbody tr'), (row) => row.innerText.split(/\\s+/))"
    observed.evaluate("new Promise(requestAnimationFrame)")

    assert observed.evaluate(rows)[1:] == [
        ["#4", "2.003000", "2", "1", "1", "1", "0"],
        ["#5", "4.004000", "-", "-", "-", "-", "-"],
    ]


def test_without_observations_there_is_no_chart_of_rings(show: Open) -> None:
    assert show(DISK).evaluate("document.getElementById('rings-seen').hidden") is True


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


def test_a_screen_reader_has_a_name_for_each_part(show: Open) -> None:
    found = show(KILLED, "#frame=41").accessible()
    named = {"listbox", "option", "searchbox", "button", "checkbox", "region", "table", "image", "link", "heading"}

    assert {role for role, _ in found} >= named
    assert [role for role, name in found if role in named and not name.strip()] == []


def test_a_screen_reader_has_the_sender_of_a_message(show: Open) -> None:
    options = [name for role, name in show(DISK, "#frame=3").accessible() if role == "option"]

    assert [name for name in options if name.startswith("3 ") and "back-end to front-end GET_FEATURES" in name]


def test_all_can_be_reached_with_the_tab_key(show: Open) -> None:
    chromium = show(KILLED, "#frame=41")
    chromium.evaluate("document.getElementById('filter-text').focus()")
    reached = []
    for _ in range(7):
        reached.append(chromium.evaluate("document.activeElement.id || document.activeElement.tagName"))
        chromium.press("Tab")

    assert reached == ["filter-text", "search-text", "next-finding", "fold", "help", "diagram", "LI"]


def test_on_paper_are_all_lines(show: Open) -> None:
    chromium = show(DISK, "#frame=41")
    drawn = "document.querySelectorAll('.line').length"
    chromium.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert chromium.evaluate(f"ready.then((session) => session.diagram.lines.length === {drawn})") is True

    chromium.evaluate("dispatchEvent(new Event('afterprint'))")
    assert chromium.evaluate(f"ready.then((session) => session.diagram.lines.length > {drawn})") is True


def test_on_paper_is_a_part_of_a_long_session(show: Open) -> None:
    chromium = show(FLOOD, "#frame=800")
    chromium.evaluate("document.getElementById('fold').click(), dispatchEvent(new Event('beforeprint'))")

    assert chromium.evaluate("document.querySelectorAll('.line').length") == 500
    assert chromium.evaluate("document.querySelector('.line.chosen .number').innerText") == "800"
    assert "lines after these are not printed" in text(chromium, "rows")


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
