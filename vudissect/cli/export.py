"""`vudissect export`: captures as tables for databases and data frames."""

import os
from collections.abc import Iterable

import click

from vudissect.cli.choices import OneOf
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import FINDINGS, clear_errors, fail, warn
from vudissect.cli.interruption import exit_on_signals
from vudissect.cli.output import say
from vudissect.cli.progress import counted, watched
from vudissect.cli.reading import captures_in
from vudissect.export.capture import Outcome, format_of
from vudissect.export.errors import ExportError
from vudissect.export.folder import FORMATS, PARTITIONS, Folder
from vudissect.export.jobs import export_captures


@click.command(
    "export",
    cls=Command,
    examples=[
        ("The captures of a night as Parquet, on 4 cores", "vudissect export captures/ -o tables --jobs 4"),
        ("As CSV, which needs no other package", "vudissect export boot.pcapng -o tables --format csv"),
        ("Then ask", "vudissect query 'SELECT rule, count(*) FROM findings GROUP BY rule' tables"),
    ],
)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE|DIRECTORY...")
@click.option(
    "-o",
    "--output",
    "folder_name",
    type=FILE,
    metavar="DIR",
    required=True,
    help="Write the tables into this directory.",
)
@click.option("--format", "form", type=OneOf(FORMATS), default=FORMATS[0], help="The format of the tables.")
@click.option(
    "--partition",
    type=OneOf(PARTITIONS),
    multiple=True,
    help="Put the files into folders by day, host (the folder of the capture) or pair of programs (repeatable).",
)
@click.option("--jobs", type=click.IntRange(1), default=1, metavar="N", help="Export so many captures at once.")
def command(files: tuple[str, ...], folder_name: str, form: str, partition: tuple[str, ...], jobs: int) -> None:
    """Export captures as tables: sessions, messages, findings, descriptors, rings and faults.

    DIR gets a folder for each table, in which small captures share files. Called again, it exports only captures that
    are new or have changed, so an export that was interrupted goes on. docs/tables.md has the columns, docs/fleet.md
    questions to ask.

    The exit status is 1 if a capture is cut off, damaged or not a capture: each is listed with its reason, and the rest
    is exported. It is 2 if the tables cannot be written.
    """
    if "-" in files:
        fail("-: export reads files, not standard input")
    # A capture that is named twice is exported once.
    named = list({os.path.realpath(file): file for file in captures_in(files)}.values())
    exit_on_signals()
    with clear_errors(folder_name):
        try:
            format_of(form)
            folder = Folder.begin(folder_name, form, list(dict.fromkeys(partition)))
            outcomes = export_captures(named, folder, jobs, watched)
            _conclude(counted("exported", outcomes, len(named), _messages, _is_fine), len(named))
        except ExportError as error:
            fail(str(error))


def _messages(outcome: Outcome) -> int:
    return outcome.messages


def _is_fine(outcome: Outcome) -> bool:
    return not outcome.problem


def _conclude(outcomes: Iterable[Outcome], total: int) -> None:
    """List what is wrong with captures, and count them; if a signal ends the command, print how to go on."""
    captures = skipped = messages = problems = 0
    try:
        for outcome in outcomes:
            captures += 1
            skipped += outcome.skipped
            messages += outcome.messages
            if outcome.problem:
                problems += 1
                warn(f"{outcome.file}: {outcome.problem}")
    except SystemExit:
        warn(f"interrupted: {captures} of {total} captures are done; call the command again to go on")
        raise
    before = f", {skipped} of them exported before" if skipped else ""
    wrong = f"; {problems} not read to the end" if problems else ""
    say(f"{captures} capture{'s' * (captures != 1)}{before}: {messages} messages{wrong}")
    if problems:
        raise SystemExit(FINDINGS)
