"""Folders of pages about results of the conformance suite."""

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from vudissect.cli.check_views import Run
from vudissect.cli.errors import clear_errors


def make_folder(folder: str) -> None:
    """Make sure that it is there; exit 2 if it cannot be made."""
    with clear_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)


def write_pages(folder: str, pages: Iterable[tuple[str, str]]) -> None:
    """Write pages, given as relative paths and texts; exit 2 if that fails."""
    for name, text in pages:
        path = Path(folder) / name
        with clear_errors(str(path)):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode("utf-8", "backslashreplace"))


def capture_links(run: Run, html: str, captures: str | None) -> dict[str, str]:
    """Where the capture of each case is, as an address relative to the pages."""
    if captures is None:
        return {}
    way = quote(os.path.relpath(captures, html))
    return {result.case.id: f"{way}/{result.case.id}.pcapng" for result in run.results}
