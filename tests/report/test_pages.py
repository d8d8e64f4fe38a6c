"""Pages as text: what is in them, and that nothing from outside is markup."""

import re
from html.parser import HTMLParser

import pytest

from tests.report.examples import case_document, hostile_results, results
from vudissect.check.model import Verdict
from vudissect.report.case import case_page
from vudissect.report.filing import backtrace, paragraph
from vudissect.report.html import Html, join, tag
from vudissect.report.index import index_page
from vudissect.report.markdown import failures_markdown, matrix_markdown
from vudissect.report.matrix import matrix_lines, matrix_page, peers_of
from vudissect.report.site import matrix_site, peer_site
from vudissect.report.verdicts import MEANINGS, SIGNS


class Elements(HTMLParser):
    """The names and attributes of the elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.append(name)
        self.attributes |= {key for key, _ in attributes}
        self.addresses += [value or "" for key, value in attributes if key in ("href", "src")]


HOSTILE_PAGES = {
    "index": lambda: index_page(hostile_results()),
    "case": lambda: case_page(hostile_results(), 0),
    "matrix": lambda: matrix_page(peers_of([hostile_results()])),
}


def test_texts_are_escaped_and_markup_is_not() -> None:
    assert tag("p", "<b>&", Html("<i>"), title="\"'<") == '<p title="&quot;&#x27;&lt;">&lt;b&gt;&amp;<i></p>'


def test_control_characters_are_visible() -> None:
    assert join("a\x00\x1b[31m\u202eb\nc") == "a\\x00\\x1b[31m\\u202eb\nc"


@pytest.mark.parametrize("name", HOSTILE_PAGES)
def test_a_hostile_peer_adds_no_element_and_no_handler(name: str) -> None:
    elements = Elements(HOSTILE_PAGES[name]())

    assert elements.names.count("script") == (0 if name == "case" else 1)
    assert "img" not in elements.names
    assert not {each for each in elements.attributes if each.startswith("on")}


@pytest.mark.parametrize("name", HOSTILE_PAGES)
def test_pages_lead_nowhere_outside(name: str) -> None:
    assert [each for each in Elements(HOSTILE_PAGES[name]()).addresses if ":" in each] == ["data:,"]


@pytest.mark.parametrize("name", HOSTILE_PAGES)
def test_a_browser_may_fetch_and_run_nothing_else(name: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', HOSTILE_PAGES[name]())

    assert policy.startswith("default-src &#x27;none&#x27;; img-src data:; style-src &#x27;sha256-")
    assert "unsafe" not in policy


def test_every_verdict_has_a_sign_of_its_own_and_a_meaning() -> None:
    assert set(SIGNS) == set(MEANINGS) == set(Verdict)
    assert len(set(SIGNS.values())) == len(SIGNS)


def test_the_page_of_a_case_marks_the_line_that_decided_and_says_why() -> None:
    page = case_page(results([case_document()]), 0)

    assert (
        '<span class="here">     1    0.000000  F&gt;B SET_VRING_NUM</span>'
        '<span class="note">▲ what was seen in RNG-02</span>'
    ) in page


def test_the_page_of_a_case_has_what_a_maintainer_needs() -> None:
    page = case_page(results([case_document()]), 0, capture="../captures/RNG-02.pcapng")

    for part in (
        "It is refused.",
        "Ring states",
        "a ring has 1 to 32768 entries",
        "connection open, process alive",
        "bye",
        "vudissect check --only RNG-02 -- my-disk &#x27;{socket}&#x27;",
        '<a href="../captures/RNG-02.pcapng">RNG-02.pcapng</a>',
    ):
        assert part in page, part


def test_where_the_linter_cannot_see_it_the_page_says_so() -> None:
    page = case_page(results([case_document()]), 0)

    assert "Nothing: the case knows more about what is right than messages show." in page


def test_a_verdict_that_changes_is_shown_with_its_share() -> None:
    page = case_page(results([case_document(verdicts=["fail", "pass", "pass"])]), 0)

    assert "fail in 1 of 3 repetitions" in page


def test_a_failure_can_be_filed_as_it_is() -> None:
    value = results([case_document("RNG-02", "crash")])

    assert paragraph(value, value.cases[0]) == (
        "my-disk 1.2 (vhost-user blk) crashes in case RNG-02 of the vhost-user conformance suite vudissect 0.2.0, “the"
        " title of RNG-02”. What happens: what was seen in RNG-02. Its last output is “bye”. What is expected: It is"
        " refused. (Refused: acknowledged with a value other than 0, or the connection is closed.) Source: vhost-user"
        " specification, Ring states. To reproduce:"
    )


def test_a_text_to_file_says_whether_it_hangs_or_spins() -> None:
    spins, hangs = (
        case_document(name, "wedged", fate={"text": f"connection open, process {life}"})
        for name, life in (("RNG-02", "spinning"), ("RNG-03", "hung"))
    )
    value = results([spins, hangs])

    assert [paragraph(value, case).split(" case ")[0] for case in value.cases] == [
        "my-disk 1.2 (vhost-user blk) spins in",
        "my-disk 1.2 (vhost-user blk) hangs in",
    ]


def test_a_failure_in_the_index_has_what_is_expected() -> None:
    page = index_page(results([case_document("RNG-02", "fail"), case_document("RNG-03", "pass")]))

    assert page.count("Expected: It is refused.") == 1


def test_a_death_comes_with_the_command_for_a_backtrace() -> None:
    died, failed = (
        case_document("RNG-02", verdict, run_again="vudissect check -- x {socket}") for verdict in ("crash", "fail")
    )

    assert backtrace(results([died]).cases[0]) == (
        "vudissect check --html backtrace -- gdb -batch -ex run -ex 'bt 15' --args x {socket}"
    )
    assert "gdb" in case_page(results([died]), 0)
    assert "gdb" not in case_page(results([failed]), 0)


def test_a_peer_has_an_index_and_a_page_for_each_case() -> None:
    site = dict(peer_site(results([case_document("RNG-02"), case_document("RNG-03")])))

    assert list(site) == ["index.html", "RNG-02.html", "RNG-03.html"]
    assert 'href="RNG-03.html"' in site["index.html"]
    assert '<a href="RNG-03.html" rel="next">' in site["RNG-02.html"]


def test_peers_of_the_same_name_have_folders_of_their_own() -> None:
    site = dict(matrix_site([results([case_document()]), results([case_document()], name="../My-Disk")]))

    assert list(site) == [
        "index.html",
        *("my-disk-1.2/index.html", "my-disk-1.2/RNG-02.html"),
        *("my-disk-1.2-2/index.html", "my-disk-1.2-2/RNG-02.html"),
    ]
    assert 'href="my-disk-1.2-2/RNG-02.html"' in site["index.html"]


def test_a_case_that_a_peer_does_not_have_is_an_empty_cell() -> None:
    peers = peers_of([results([case_document("RNG-02")]), results([case_document("RNG-03")], name="other")])

    assert matrix_page(peers).count("<td></td>") == 2


def test_a_terminal_gets_the_cases_that_fail_anywhere() -> None:
    first = results([case_document("RNG-02"), case_document("RNG-03", "pass")])
    second = results([case_document("RNG-02", "crash"), case_document("RNG-03", "pass")], name="other")

    assert list(matrix_lines(peers_of([first, second]), 32))[:5] == [
        "A  my-disk 1.2: 1 pass, 1 fail, 0 crash",
        "B  other 1.2: 1 pass, 0 fail, 1 crash",
        "",
        "        A B ",
        "RNG-02  ✗ ‼  the title of RNG-02",
    ]


def test_lines_are_no_wider_than_the_terminal() -> None:
    lines = list(matrix_lines(peers_of([results([case_document()])]), 20))

    assert "RNG-02  ✗  the titl…" in lines


def test_a_table_in_markdown_stays_one_whatever_the_names() -> None:
    value = results([case_document(title="a | <b>")], name="x|y")

    assert list(matrix_markdown(peers_of([value]))) == [
        "| case | x\\|y 1.2 |",
        "|---|---|",
        "| RNG-02 a \\| \\<b> | ✗ fail |",
    ]


def test_each_failure_is_a_section_worst_first() -> None:
    value = results([case_document("RNG-02"), case_document("RNG-03", "pass"), case_document("RNG-06", "crash")])

    assert [line.strip() for line in failures_markdown(value) if line.startswith("#")] == [
        "# my-disk 1.2",
        "## RNG-06: crash",
        "## RNG-02: fail",
    ]


def test_a_failure_is_filed_with_the_conversation_around_the_line_that_decided() -> None:
    lines = [f"{number:6}" for number in range(1, 31)]
    value = results([case_document(transcript=lines, deviation=20)])

    shown = [line.strip() for line in failures_markdown(value) if line.startswith("    ")]

    assert shown[2:-1] == [
        *("* negotiate", "? F>B SET_VRING_NUM ring 0 num=0"),
        *map(str, range(12, 21)),
        "▲ what was seen in RNG-02",
        *map(str, range(21, 25)),
    ]


def test_what_a_peer_says_is_no_markup_in_markdown_either() -> None:
    page = "\n".join(failures_markdown(hostile_results()))

    assert not re.search(r"(?<!\\)<", re.sub(r"^    .*$", "", page, flags=re.MULTILINE))
