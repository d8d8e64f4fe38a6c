"""`vudissect summary`: captures in short, one screen each."""

from collections.abc import Iterator

import click

from vudissect.analysis import Analysis
from vudissect.capture.reader import read_capture
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE, dialects
from vudissect.cli.devices import device_option
from vudissect.cli.errors import CANNOT, FINDINGS
from vudissect.cli.formats import chosen, format_options
from vudissect.cli.known import known_dialect
from vudissect.cli.output import screen_width, write
from vudissect.cli.progress import opened
from vudissect.cli.reading import ReadAs, captures_in, verdict
from vudissect.protocol.model import Device
from vudissect.render.findings import fails
from vudissect.render.format import Summarised
from vudissect.summary.collect import Collector
from vudissect.summary.values import Summary


@click.command(
    "summary",
    cls=Command,
    examples=[
        ("What happened, on one screen", "vudissect summary boot.pcapng"),
        ("Every capture of a folder", "vudissect summary captures/"),
    ],
)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE|DIRECTORY...")
@format_options(Summarised, json="One JSON object per capture.")
@device_option()
@click.option(
    "--dialect",
    "speaks",
    metavar="NAME",
    shell_complete=dialects,
    help="Decode the messages in this dialect (vudissect dialects).",
)
@color_option
def command(files: tuple[str, ...], form: str | None, as_json: bool, device: Device | None, speaks: str | None) -> None:
    """Print each capture on one screen: the verdict, who talked about what, and how it ended.

    The verdict is one sentence. Below it are the peers, the device, the features in effect, memory, rings, the slowest
    answers and the end of the connection. The last line is the command to run next.

    The exit status is 1 if there are errors or a file is cut off, and 2 if a file cannot be read or has no messages.
    """
    output = chosen(Summarised, form, as_json=as_json)
    read_as = ReadAs(device, known_dialect(speaks) if speaks is not None else None)
    named = captures_in(files)
    status = 0

    def results() -> Iterator[Summary]:
        nonlocal status
        for file in named:
            try:
                summary, found = _summary(file, read_as)
            except SystemExit as end:
                # One file that cannot be read does not keep the others from being read.
                if end.code != CANNOT:
                    raise
                status = CANNOT
                continue
            yield summary
            status = max(status, found)

    write(output.render(Summarised(results(), len(named) > 1, output_style(), screen_width())))
    if status:
        raise SystemExit(status)


def _summary(file: str, read_as: ReadAs) -> tuple[Summary, int]:
    """The summary of a capture, and the exit status for it."""
    collector = Collector()
    with opened(file) as stream:
        analysis = Analysis(read_capture(stream), device=read_as.device, dialect=read_as.dialect)
        for _ in collector.watch(analysis.ahead()):
            pass
        rest = analysis.finish()
    cut = str(analysis.records.truncated) if analysis.records.truncated is not None else ""
    summary = collector.finish(analysis.session, rest, file, cut=cut, withheld=sum(analysis.withheld.values()))
    broken = any(fails(finding, strict=False) for group in summary.verdict.groups for finding in group.all)
    return summary, max(verdict(file, analysis.records), FINDINGS if broken else 0)
