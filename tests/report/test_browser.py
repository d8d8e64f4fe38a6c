"""Pages in a real browser: no error, the filter and the keyboard work, and nothing from a peer runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.browser import Browser, browser
from tests.report.examples import case_document, hostile_results, results
from vudissect.report.site import matrix_site, peer_site

pytestmark = pytest.mark.peers

CASES = [
    case_document("FRM-01", "pass", why="nothing special"),
    case_document("FRM-08", "fail", why="it is acknowledged"),
    case_document("RNG-02", "fail", why="it is acknowledged"),
    case_document("RNG-06", "crash", why="it died"),
    case_document("RNG-07", "pass", why="nothing special"),
]
SHOWN = "Array.from(document.querySelectorAll('tbody tr[data-family]:not([hidden]) .case'), each => each.innerText)"
FOCUS = "document.activeElement.innerText || document.activeElement.id"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matrix of two peers, the second of which is hostile."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in matrix_site([results(CASES), hostile_results()]):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def index(chromium: Browser, site: Path) -> Iterator[Browser]:
    """The index of the first peer."""
    # Another page in between: else only the fragment would change.
    chromium.open("about:blank")
    chromium.open(f"file://{site}/my-disk-1.2/index.html")
    yield chromium
    assert chromium.problems == []


@pytest.fixture
def matrix(chromium: Browser, site: Path) -> Iterator[Browser]:
    """The page with all peers."""
    chromium.open("about:blank")
    chromium.open(f"file://{site}/index.html")
    yield chromium
    assert chromium.problems == []


def test_all_cases_are_shown_at_first(index: Browser) -> None:
    assert index.evaluate(SHOWN) == ["FRM-01", "FRM-08", "RNG-02", "RNG-06", "RNG-07"]


def test_text_filters_by_all_of_its_words(index: Browser) -> None:
    index.press("/")
    index.type("rng acknow")

    assert index.evaluate(SHOWN) == ["RNG-02"]
    assert index.evaluate("document.getElementById('count').textContent") == "1 of 5 cases"


def test_verdicts_filter_and_add_up(index: Browser) -> None:
    index.evaluate("document.querySelector('[data-verdict=crash]').click()")
    assert index.evaluate(SHOWN) == ["RNG-06"]

    index.evaluate("document.querySelector('[data-verdict=fail]').click()")
    assert index.evaluate(SHOWN) == ["FRM-08", "RNG-02", "RNG-06"]


def test_a_family_filters(index: Browser) -> None:
    index.evaluate("family.value = 'FRM', family.dispatchEvent(new Event('change'))")

    assert index.evaluate(SHOWN) == ["FRM-01", "FRM-08"]


def test_verdicts_are_reached_and_pressed_with_the_keyboard(index: Browser) -> None:
    index.press("/")
    for _ in range(2):
        index.press("Tab")
    index.press(" ")

    assert index.evaluate("document.activeElement.dataset.verdict") == "crash"
    assert index.evaluate(SHOWN) == ["RNG-06"]


def test_escape_shows_all_again(index: Browser) -> None:
    index.press("/")
    index.type("died")
    index.press("Escape")

    assert index.evaluate(SHOWN) == ["FRM-01", "FRM-08", "RNG-02", "RNG-06", "RNG-07"]
    assert index.evaluate(FOCUS) == "text"


def test_arrows_go_over_the_rows_that_are_shown(index: Browser) -> None:
    index.press("/")
    index.type("acknow")
    index.press("ArrowDown")
    assert index.evaluate(FOCUS) == "FRM-08"

    index.press("ArrowDown")
    assert index.evaluate(FOCUS) == "RNG-02"

    index.press("ArrowUp")
    index.press("ArrowUp")
    assert index.evaluate(FOCUS) == "text"


def test_the_filter_is_still_set_on_the_way_back_from_a_case(index: Browser, site: Path) -> None:
    index.press("/")
    index.type("died")
    address = index.evaluate("location.href")

    index.open(f"file://{site}/my-disk-1.2/RNG-06.html")
    index.open(address)

    assert index.evaluate(SHOWN) == ["RNG-06"]


def test_the_matrix_filters_by_what_any_peer_has(matrix: Browser) -> None:
    matrix.evaluate("document.querySelector('[data-verdict=crash]').click()")

    assert matrix.evaluate(SHOWN) == ["RNG-06"]


def test_arrows_go_over_the_cells_of_the_matrix(matrix: Browser) -> None:
    matrix.press("/")
    matrix.type("RNG-02")
    matrix.press("ArrowDown")
    matrix.press("ArrowRight")

    assert matrix.evaluate("document.activeElement.closest('td').cellIndex") == 2


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_words_can_be_read_on_their_ground(matrix: Browser, dark: bool) -> None:
    """WCAG 2 asks for a contrast of 4.5."""
    matrix.scheme("dark" if dark else "light")

    assert {verdict for verdict, contrast in matrix.evaluate(_CONTRASTS).items() if contrast < 4.5} == set()


@pytest.mark.parametrize("width", [1280, 400])
def test_no_page_is_wider_than_its_window(matrix: Browser, site: Path, width: int) -> None:
    matrix.size(width, 900)
    for name in ("index.html", "my-disk-1.2/index.html", "my-disk-1.2/RNG-02.html", f"{_hostile(site)}/RNG-02.html"):
        matrix.open(f"file://{site}/{name}")

        assert matrix.evaluate("document.documentElement.scrollWidth") <= width, name


def test_nothing_from_a_peer_runs(chromium: Browser, site: Path) -> None:
    for name in ("index.html", f"{_hostile(site)}/index.html", f"{_hostile(site)}/RNG-02.html"):
        chromium.open(f"file://{site}/{name}")

        assert chromium.evaluate("document.title") != "owned", name
        assert chromium.evaluate("document.body.innerText.includes('<script>')") is True, name
    assert chromium.problems == []


def test_pages_fetch_nothing(chromium: Browser, site: Path) -> None:
    chromium.requests.clear()
    chromium.open(f"file://{site}/index.html")
    chromium.open(f"file://{site}/my-disk-1.2/RNG-02.html")

    assert {each.partition(":")[0] for each in chromium.requests} <= {"file", "data"}


def test_a_page_needs_no_other_file(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "alone.html").write_text(dict(peer_site(results(CASES)))["index.html"])

    chromium.open(f"file://{tmp_path}/alone.html")

    assert len(chromium.evaluate(SHOWN)) == 5
    assert chromium.problems == []


def _hostile(site: Path) -> str:
    (folder,) = (each.name for each in site.iterdir() if each.is_dir() and each.name != "my-disk-1.2")
    return folder


_CONTRASTS = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = parts(colour).map((each) => {
      const share = each / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return parts(colour)[3] === 0 ? ground(element.parentElement) : colour;
  };
  const contrast = (element) => {
    const both = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((a, b) => b - a);
    return (both[0] + 0.05) / (both[1] + 0.05);
  };
  const badges = Array.from(document.querySelectorAll("dl .verdict"));
  return Object.fromEntries(badges.map((badge) => [badge.innerText, contrast(badge)]));
})()
"""
