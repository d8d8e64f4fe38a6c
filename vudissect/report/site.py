"""All pages of one peer, or of several with a matrix: relative paths and their texts."""

import re
from collections.abc import Iterator, Mapping, Sequence

from vudissect.check.results import Results
from vudissect.report.case import case_page
from vudissect.report.index import index_page
from vudissect.report.matrix import matrix_page, peers_of

_NO_CAPTURES: Mapping[str, str] = {}


def peer_site(
    results: Results, captures: Mapping[str, str] = _NO_CAPTURES, *, up: str = ""
) -> Iterator[tuple[str, str]]:
    """An index and a page for each case; `captures` has the relative address of a capture by the id of its case."""
    yield "index.html", index_page(results, up=up)
    for number, case in enumerate(results.cases):
        yield f"{case.id}.html", case_page(results, number, capture=captures.get(case.id, ""))


def matrix_site(every: Sequence[Results]) -> Iterator[tuple[str, str]]:
    """A matrix, and in a folder for each peer the pages of that."""
    folders = _folders(every)
    yield "index.html", matrix_page(peers_of(every, folders))
    for results, folder in zip(every, folders, strict=True):
        for name, text in peer_site(results, up="../index.html"):
            yield f"{folder}/{name}", text


def _folders(every: Sequence[Results]) -> list[str]:
    """A name for each peer that is safe and of no other peer."""
    folders: list[str] = []
    for results in every:
        name = re.sub(r"[^a-z0-9.]+", "-", results.title.lower())[:60].strip("-.") or "peer"
        unique, number = name, 1
        while unique in folders:
            number += 1
            unique = f"{name}-{number}"
        folders.append(unique)
    return folders
