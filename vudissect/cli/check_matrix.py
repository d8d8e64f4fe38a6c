"""`vudissect check matrix`: the results of several peers side by side."""

import shutil

import click

from vudissect.check.results import Results, ResultsError, read_results
from vudissect.cli.check_pages import make_folder, write_pages
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import fail
from vudissect.cli.lines import text_of
from vudissect.cli.output import defer_output_errors, say
from vudissect.render.units import printable
from vudissect.report.matrix import matrix_lines, peers_of
from vudissect.report.site import matrix_site

_MOST_BYTES = 64 << 20


@click.command(
    "matrix",
    cls=Command,
    examples=[("Two releases side by side, as pages", "vudissect check matrix 1.0.json 1.1.json --html pages")],
)
@click.argument("results", type=FILE, nargs=-1, required=True, metavar="RESULT.json...")
@click.option(
    "--html", type=FILE, metavar="FOLDER", help="Write pages there: the matrix, and a page for each case of each peer."
)
def matrix(results: tuple[str, ...], html: str | None) -> None:
    """Put the results of several peers side by side: peers as columns, cases as rows.

    RESULT.json are files that vudissect check --json has written. Printed are the cases that fail anywhere; the pages
    have all.
    """
    every = [_read(file) for file in results]
    defer_output_errors()
    for line in matrix_lines(peers_of(every), shutil.get_terminal_size().columns):
        say(printable(line))
    if html is not None:
        make_folder(html)
        write_pages(html, matrix_site(every))


def _read(file: str) -> Results:
    try:
        return read_results(text_of(file, _MOST_BYTES))
    except ResultsError as error:
        fail(f"{file}: {error}")
