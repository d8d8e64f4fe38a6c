"""`vudissect rings`: what a recorder saw in the rings of a session, over time or live."""

import sys
from collections.abc import Iterable, Iterator, Sequence

import click

from vudissect.analysis import Analysis
from vudissect.capture.files import FollowedFile, open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import RecordKind
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.devices import device_option
from vudissect.cli.errors import clear_errors, needs_linux, warn
from vudissect.cli.output import fitting, say
from vudissect.cli.reading import conclude
from vudissect.protocol.model import Device
from vudissect.render.ring_table import Sample, current_lines, history_lines, ring_title, sample_lines, sample_of
from vudissect.render.style import Style

# Cursor to the upper left corner, and clear the screen.
_CLEAR = "\x1b[H\x1b[2J"


@click.command(
    "rings",
    cls=Command,
    examples=[
        ("How the rings of a session filled and emptied", "vudissect rings boot.pcapng"),
        ("Only ring 1", "vudissect rings --ring 1 boot.pcapng"),
        ("The rings of a running session, like top", "vudissect rings --follow boot.pcapng"),
        ("A session that was recorded without --rings, and still runs", "vudissect rings --pid 4711 boot.pcapng"),
    ],
)
@click.argument("file", type=FILE)
@click.option(
    "--ring", "wanted", multiple=True, type=click.IntRange(0), metavar="N", help="Only this ring (repeatable)."
)
@click.option("-f", "--follow", is_flag=True, help="Show the rings as they are now, until interrupted.")
@click.option(
    "--pid",
    "pids",
    type=click.IntRange(1),
    multiple=True,
    metavar="PID",
    help="Look now, through the descriptors of the running front-end (repeatable: also of the back-end).",
)
@device_option()
@color_option
def command(file: str, wanted: tuple[int, ...], follow: bool, pids: tuple[int, ...], device: Device | None) -> None:
    """Print what was seen in the rings of the capture FILE, which vuproxy recorded with --rings.

    A row has the positions of driver and device, the requests that are pending (the bar is the part of the ring that
    they fill), and the counters of the kick and call descriptors: above 0, a notification was written and not read.
    """
    style = output_style()
    with clear_errors(file):
        stream = FollowedFile(file) if follow and not pids and file != "-" else open_capture(file)
        analysis = Analysis(read_capture(stream), device=device, rules=(), live=follow)
        samples = _samples_now(file, pids, analysis, follow) if pids else _samples(analysis, follow)
        if follow:
            _follow(samples, frozenset(wanted), style)
        else:
            found = list(samples)
            if analysis.records.has_messages:
                _print(found, frozenset(wanted), style, file)
        conclude(file, analysis.records)


def _samples(analysis: Analysis, follow: bool) -> Iterator[Sample]:
    """What was seen; for somebody who follows, also the rings of a connection as they were when it was closed."""
    for event, _ in analysis:
        sample = sample_of(event)
        if sample is not None:
            yield sample
        elif follow and event.record.kind is RecordKind.CONNECTION_CLOSED:
            for ring in event.after.rings.values():
                if ring.seen is not None:
                    yield Sample(event.record.frame, event.elapsed, event.after, ring.seen)


def _samples_now(file: str, pids: Sequence[int], analysis: Analysis, follow: bool) -> Iterator[Sample]:
    needs_linux()
    from vudissect.cli.ring_probe import probe

    return probe(file, pids, analysis, follow=follow)


def _print(samples: list[Sample], wanted: frozenset[int], style: Style, file: str) -> None:
    rings = {sample.seen.ring for sample in samples}
    for line in history_lines((sample for sample in samples if not wanted or sample.seen.ring in wanted), style):
        say(line)
    if not rings:
        warn(f"{file}: nothing was seen in its rings: record it with vuproxy --rings")
    elif wanted and not wanted & rings:
        warn(f"{file}: nothing was seen in ring {_list(wanted)}; rings seen: {_list(rings)}")


def _list(rings: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(rings)))


def _follow(samples: Iterator[Sample], wanted: frozenset[int], style: Style) -> None:
    """On a terminal the rings as they are now, in a pipe each sample as it comes."""
    latest: dict[tuple[int, int], Sample] = {}
    for sample in samples:
        if wanted and sample.seen.ring not in wanted:
            continue
        latest[sample.ring] = sample
        if sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
            for line in fitting(current_lines(latest.values(), style)):
                say(line)
        else:
            say(ring_title(sample))
            for line in sample_lines(sample, style):
                say(line)
        sys.stdout.flush()
