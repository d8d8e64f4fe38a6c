"""Several results side by side: peers as columns, cases as rows; as a page and for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from vudissect.check.cases import ALL_CASES
from vudissect.check.results import CaseResult, Results
from vudissect.report.document import document
from vudissect.report.filtering import controls
from vudissect.report.html import Html, tag
from vudissect.report.verdicts import MEANINGS, SIGNS, badge, sign


class Peer(NamedTuple):
    """A column: results by case, and the folder of its pages, "" if it has none."""

    results: Results
    cases: Mapping[str, CaseResult]
    folder: str = ""


def peers_of(every: Sequence[Results], folders: Sequence[str] = ()) -> list[Peer]:
    """The columns, in the order of the results."""
    places = folders or [""] * len(every)
    return [
        Peer(results, {case.id: case for case in results.cases}, folder)
        for results, folder in zip(every, places, strict=True)
    ]


def rows(peers: Sequence[Peer]) -> list[CaseResult]:
    """One result of each case that any peer has: those of this version in its order, then the others."""
    found: dict[str, CaseResult] = {}
    for peer in peers:
        for name, case in peer.cases.items():
            found.setdefault(name, case)
    order = {case.id: number for number, case in enumerate(ALL_CASES)}
    return sorted(found.values(), key=lambda case: (order.get(case.id, len(order)), case.id))


def matrix_page(peers: Sequence[Peer]) -> str:
    """The page. Cells are links where the peer has pages of its own."""
    cases = rows(peers)
    verdicts = [case.verdict for peer in peers for case in peer.results.cases]
    return document(
        "vhost-user conformance",
        tag("h1", "vhost-user conformance"),
        tag("p", f"{len(cases)} cases, {len(peers)} peers.", class_="dim"),
        _peers(peers),
        controls((case.family for case in cases), verdicts),
        tag(
            "div",
            tag(
                "table",
                tag("thead", tag("tr", tag("th", "Case", scope="col"), (_heading(peer) for peer in peers))),
                tag("tbody", (_row(case, peers) for case in cases)),
                class_="matrix",
            ),
            class_="wide",
        ),
        tag("h2", "Verdicts"),
        tag(
            "dl",
            ((tag("dt", badge(verdict)), tag("dd", meaning)) for verdict, meaning in MEANINGS.items()),
            class_="facts",
        ),
        scripts=("script.js",),
    )


def _peers(peers: Sequence[Peer]) -> Html:
    names = ("Peer", "Device", "Result", "Date")
    return tag(
        "table",
        tag("thead", tag("tr", (tag("th", name, scope="col") for name in names))),
        tag(
            "tbody",
            (
                tag(
                    "tr",
                    tag("td", _title(peer)),
                    tag("td", peer.results.device),
                    tag("td", peer.results.tally),
                    tag("td", peer.results.began[:10], class_="case"),
                )
                for peer in peers
            ),
        ),
        class_="peers",
    )


def _title(peer: Peer) -> Html | str:
    title = peer.results.title
    return tag("a", title, href=f"{peer.folder}/index.html") if peer.folder else title


def _heading(peer: Peer) -> Html:
    return tag("th", peer.results.title, scope="col")


def _row(case: CaseResult, peers: Sequence[Peer]) -> Html:
    results = [(peer, peer.cases.get(case.id)) for peer in peers]
    verdicts = dict.fromkeys(str(result.verdict) for _, result in results if result is not None)
    return tag(
        "tr",
        tag("th", tag("span", case.id, class_="case"), tag("span", case.title, class_="title"), scope="row"),
        (_cell(peer, result) for peer, result in results),
        data_family=case.family,
        data_verdicts=" ".join(verdicts),
    )


def _cell(peer: Peer, result: CaseResult | None) -> Html:
    if result is None:
        return tag("td")
    content = (sign(result.verdict), tag("span", f" {result.verdict}", class_="word"))
    if not peer.folder:
        return tag("td", tag("span", *content, title=result.why), class_=str(result.verdict))
    href = f"{peer.folder}/{result.id}.html"
    return tag("td", tag("a", *content, href=href, title=result.why), class_=str(result.verdict))


def matrix_lines(peers: Sequence[Peer], width: int) -> Iterator[str]:
    """For a terminal: a line for each peer, then the cases that fail anywhere, with a letter and a sign for each peer.

    The text is not escaped.
    """
    letters = [_letter(number) for number in range(len(peers))]
    for letter, peer in zip(letters, peers, strict=True):
        yield f"{letter}  {peer.results.title}: {peer.results.tally}"
    failing = [case for case in rows(peers) if any(_fails(peer, case) for peer in peers)]
    if not failing:
        return
    yield ""
    column = max(map(len, letters)) + 1
    start = max(len(case.id) for case in failing)
    yield f"{'':{start}}  {''.join(f'{letter:{column}}' for letter in letters)}"
    for case in failing:
        signs = "".join(f"{_sign(peer, case):{column}}" for peer in peers)
        line = f"{case.id:{start}}  {signs} {case.title}"
        yield line if len(line) <= width else f"{line[: width - 1]}…"
    yield ""
    yield "  ".join(f"{mark} {verdict}" for verdict, mark in SIGNS.items())


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number + 1)


def _fails(peer: Peer, case: CaseResult) -> bool:
    result = peer.cases.get(case.id)
    return result is not None and result.verdict.is_failure()


def _sign(peer: Peer, case: CaseResult) -> str:
    result = peer.cases.get(case.id)
    return SIGNS[result.verdict] if result is not None else " "
