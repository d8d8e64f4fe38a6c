"""`vudissect report`: a capture as one HTML page, to attach to a bug report."""

import os
import sys
from pathlib import Path

import click

from vudissect.analysis import Analysis
from vudissect.capture.reader import read_capture
from vudissect.cli.command import Command
from vudissect.cli.comparing import compare_files
from vudissect.cli.completion import FILE
from vudissect.cli.devices import device_option
from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.output import say
from vudissect.cli.progress import opened
from vudissect.cli.reading import verdict
from vudissect.lint.words import count_text
from vudissect.protocol.model import Device
from vudissect.render.units import printable
from vudissect.report.capture import NoFramesError, capture_page
from vudissect.report.difference import difference_page
from vudissect.report.parts import Parts

MOST_FRAMES = 200_000
_SUFFIXES = (".gz", ".zst", ".pcapng", ".pcap")


@click.command(
    "report",
    cls=Command,
    examples=[
        ("A page to attach to a bug report", "vudissect report boot.pcapng"),
        ("Another name for it", "vudissect report boot.pcapng -o bug-1234.html"),
        ("Some frames of a long capture", "vudissect report long.pcapng --from 341000 --to 342000"),
        ("Two sessions side by side", "vudissect report --diff good.pcapng bad.pcapng"),
    ],
)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE")
@click.option("--diff", is_flag=True, help="Compare two captures, FILE or FILE@CONNECTION, side by side.")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="The page (default: as the capture, with .html).")
@click.option("--from", "first", metavar="FRAME", type=click.IntRange(1), help="Start with this frame.")
@click.option("--to", "last", metavar="FRAME", type=click.IntRange(1), help="End with this frame.")
@device_option()
def command(
    files: tuple[str, ...],
    diff: bool,
    output: str | None,
    first: int | None,
    last: int | None,
    device: Device | None,
) -> None:
    """Write the capture FILE as one HTML page that needs no other file and no network.

    The verdict and the findings come first. Below them are the messages as a diagram, and for the selected one every
    field with its bytes, and the state of the connection before and after it. With --diff, the page has what is
    different between two captures, causes first, and the messages of both.

    Of a capture with more than 200,000 frames, the page has the first and the last, and those around findings. It has
    others with --from and --to; the verdict and the findings are always those of the whole capture.

    The exit status is 1 if the capture is cut off, and 2 if it cannot be read or has no messages.
    """
    if len(files) != 1 + diff:
        fail("report makes a page of one capture, report --diff of two")
    if diff and (first or last):
        fail("--from and --to are for the page of one capture")
    parts = Parts(MOST_FRAMES, first or 1, last)
    page, status = _difference(files[0], files[1], device) if diff else _page(files[0], parts, device)
    target = output or f"{'-'.join(map(_name, files))}.html"
    if target == "-":
        sys.stdout.write(page)
    else:
        with clear_errors(target):
            Path(target).write_text(page, "utf-8")
        say(f"{printable(target)}: {len(page) / 1e6:.1f} MB")
    if status:
        raise SystemExit(status)


def _name(file: str) -> str:
    """What the page is called after a capture."""
    name = "session" if file == "-" else os.path.basename(file)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _difference(first: str, second: str, device: Device | None) -> tuple[str, int]:
    """The page of two captures, and the exit status for them."""
    both = compare_files(first, second, device)
    return difference_page(both.parts, (first, second), both.about), both.status


def _page(file: str, parts: Parts, device: Device | None) -> tuple[str, int]:
    """The page, and the exit status for the capture."""
    with opened(file) as stream:
        analysis = Analysis(read_capture(stream), device=device)
        try:
            page = capture_page(analysis, file, parts)
        except NoFramesError as error:
            fail(f"{file}: --from and --to leave nothing: it has {count_text(error.frames, 'frame')}")
    status = verdict(file, analysis.records)
    if not analysis.records.has_messages:
        raise SystemExit(status)
    return page, status
