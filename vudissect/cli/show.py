"""`vudissect show`: the events of a capture, as a transcript or in another format."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from vudissect.analysis import Analysis, Judged, in_runs
from vudissect.capture.files import FollowedFile, open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.choices import OneOf
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE, dialects, messages
from vudissect.cli.devices import device_option
from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.filters import filter_option, narrowed, narrowed_to, report_no_match
from vudissect.cli.formats import chosen, format_options
from vudissect.cli.known import known_dialect
from vudissect.cli.reading import conclude
from vudissect.protocol.model import Channel, Device, Side
from vudissect.render.format import Ending, Option, Shown

if TYPE_CHECKING:
    from vudissect.filter import Filter

_LINES_AT_ONCE = 256
_GRAPH = "graph"
_LAST_RING = (1 << 32) - 1


@click.command(
    "show",
    cls=Command,
    examples=[
        ("The whole session, as text for a bug report", "vudissect show boot.pcapng > boot.txt"),
        ("What was said about ring 1, with every field", "vudissect show -v --ring 1 boot.pcapng"),
        ("The answers that took long", "vudissect show --filter 'latency>100ms' boot.pcapng"),
        ("A sequence diagram for an issue tracker", "vudissect show --graph boot.pcapng"),
        ("A session while vuproxy records it", "vudissect show --follow boot.pcapng"),
    ],
)
@click.argument("file", type=FILE)
@click.option("-v", "--verbose", is_flag=True, help="Every field of every message.")
@format_options(Shown, json="One JSON object per line.")
@click.option("--graph", "as_graph", is_flag=True, help="A sequence diagram as text. Short for --format graph.")
@click.option("-f", "--follow", is_flag=True, help="Follow the file as it grows, until interrupted.")
@click.option("--no-times", is_flag=True, help="Omit what differs from run to run, to compare transcripts.")
@click.option("--no-findings", is_flag=True, help="Do not check the rules: quicker on huge captures.")
@device_option()
@click.option(
    "--dialect",
    metavar="NAME",
    shell_complete=dialects,
    help="Decode the messages in this dialect (vudissect dialects).",
)
@filter_option("Show only what matches")
@click.option(
    "-m",
    "--message",
    "names",
    multiple=True,
    metavar="GLOB",
    shell_complete=messages,
    help="Only these messages (SET_VRING_*; repeatable).",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    type=OneOf([channel.label for channel in Channel]),
    help="Only this channel (repeatable).",
)
@click.option(
    "--from", "sender", type=OneOf([Side.FRONT_END.label, Side.BACK_END.label]), help="Only what this side sent."
)
@click.option(
    "--ring",
    "rings",
    multiple=True,
    type=click.IntRange(0, _LAST_RING),
    metavar="N",
    help="Only messages for this ring (repeatable).",
)
@color_option
def command(
    file: str,
    verbose: bool,
    form: str | None,
    as_json: bool,
    as_graph: bool,
    follow: bool,
    no_times: bool,
    no_findings: bool,
    device: Device | None,
    dialect: str | None,
    wanted: "Filter | None",
    names: tuple[str, ...],
    channels: tuple[str, ...],
    sender: str | None,
    rings: tuple[int, ...],
) -> None:
    """Show the capture FILE (- for standard input), one line per message.

    The columns are: frame, seconds, direction (F is the front-end, B the back-end), the message with its contents and
    descriptors, and for a reply its request and how long the reply took. A descriptor keeps its name (evt#3)
    throughout; + marks its first appearance.
    """
    options = [option for option, given in ((Option.VERBOSE, verbose), (Option.NO_TIMES, no_times)) if given]
    if as_graph and form not in (None, _GRAPH):
        fail(f"--graph and --format {form} are two formats: use one of them")
    output = chosen(Shown, _GRAPH if as_graph else form, as_json=as_json, options=options)
    speaks = known_dialect(dialect) if dialect is not None else None
    narrow = narrowed_to(wanted, names, channels, sender, rings)
    if no_findings and narrow is not None and narrow.judges:
        fail(f"--no-findings: nothing could match {narrow.text}: omit one of them")
    live = follow or (file == "-" and not stat.S_ISREG(os.fstat(0).st_mode))
    with clear_errors(file):
        stream = FollowedFile(file) if follow and file != "-" else open_capture(file)
        rules = () if no_findings else None
        analysis = Analysis(read_capture(stream), device=device, dialect=speaks, rules=rules, live=live)
        session = analysis.session
        shown = narrowed(narrow, analysis) if narrow is not None else None

        def ending() -> Ending:
            findings = analysis.finish()
            return Ending(findings, session.unanswered()) if shown is None else Ending(*shown.ending(session, findings))

        style = output_style()
        judged: Iterable[Judged] = analysis if shown is None else shown
        if not live:
            judged = in_runs(analysis.ahead() if shown is None else shown)
        lines = output.render(Shown(judged, ending, session.dialect, style, frozenset(options), live))
        _write(lines, 1 if live else _LINES_AT_ONCE)
        if shown is not None and analysis.records.has_messages:
            report_no_match(shown)
        conclude(file, analysis.records)


def _write(lines: Iterator[str], at_once: int) -> None:
    chunk: list[str] = []
    try:
        while True:
            chunk.extend(islice(lines, at_once))
            if not chunk:
                break
            sys.stdout.write("".join(chunk))
            chunk.clear()
            if at_once == 1:
                sys.stdout.flush()
    finally:
        sys.stdout.write("".join(chunk))
        sys.stdout.flush()
