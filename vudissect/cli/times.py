"""`vudissect times`: how long what took, and the same as a trace for ui.perfetto.dev."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from vudissect.analysis import Analysis
from vudissect.capture.reader import read_capture
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors
from vudissect.cli.formats import chosen, format_options
from vudissect.cli.output import write
from vudissect.cli.progress import opened
from vudissect.cli.reading import verdict
from vudissect.render.format import Timed
from vudissect.render.perfetto import PerfettoTrace
from vudissect.summary import collect as summary
from vudissect.summary.words import missing_texts
from vudissect.timing.collect import Collector
from vudissect.timing.migration import Track, migrations
from vudissect.timing.values import Times


@click.command(
    "times",
    cls=Command,
    examples=[
        ("Where the time of a start went", "vudissect times boot.pcapng"),
        ("A migration, from the captures of both sides", "vudissect times source.pcapng destination.pcapng"),
        ("A trace for ui.perfetto.dev", "vudissect times --perfetto boot.pftrace boot.pcapng"),
    ],
)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
@format_options(Timed, json="One JSON object per phase, kind of answer, reconnect and migration.")
@click.option("--perfetto", "trace_file", type=FILE, metavar="FILE", help="Also write a trace for ui.perfetto.dev.")
@color_option
def command(files: tuple[str, ...], form: str | None, as_json: bool, trace_file: str | None) -> None:
    """Report how long what took: the phases of each connection, answers, reconnects and migrations.

    The two captures of a migration, of the source and of the destination, are joined by their clocks. Each part of the
    migration has a name and begins where the one before ends.

    The exit status is 1 if a capture is cut off, and 2 if one cannot be read or has no messages.
    """
    output = chosen(Timed, form, as_json=as_json)
    captures: list[Times] = []
    tracks: list[tuple[str, Track]] = []
    status = 0
    with _trace(trace_file) as trace:
        for file in files:
            times, found, cut = _read(file, trace)
            captures.append(times)
            tracks += ((file, track) for track in found)
            status = max(status, cut)
        joined = list(migrations(tracks))
        if trace is not None:
            for migration in joined:
                trace.migration(migration)
    write(output.render(Timed(captures, joined, output_style())))
    if status:
        raise SystemExit(status)


@contextmanager
def _trace(file: str | None) -> Iterator[PerfettoTrace | None]:
    """The trace to write, if one is; exit 2 if it cannot be written."""
    if file is None:
        yield None
        return
    with clear_errors(file), open(file, "wb") as output:
        yield PerfettoTrace(output.write)


def _read(file: str, trace: PerfettoTrace | None) -> tuple[Times, list[Track], int]:
    """The times of a capture, what its connections did for a migration, and the exit status for it."""
    collector, known = Collector(), summary.Collector()
    if trace is not None:
        trace.begin(file)
    with opened(file) as stream:
        # Findings are only in the trace.
        analysis = Analysis(read_capture(stream), rules=() if trace is None else None)
        for event, findings in collector.watch(known.watch(analysis)):
            if trace is not None:
                trace.event(event, findings)
    rest = analysis.finish()
    if trace is not None:
        trace.end(rest)
    status = verdict(file, analysis.records)
    if not analysis.records.has_messages:
        raise SystemExit(status)
    cut = str(analysis.records.truncated) if analysis.records.truncated is not None else ""
    missing = known.finish(analysis.session, rest, file, cut=cut).missing
    return collector.finish(file, list(missing_texts(missing))), collector.tracks(), status
