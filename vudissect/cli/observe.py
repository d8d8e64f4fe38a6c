"""The live transcript of a running vuproxy, as a separate process that reads the capture from standard input.

At the end it reports what it found, as one JSON object, on the descriptor given by `--report-fd`.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from vudissect.analysis import Analysis, Judged
from vudissect.capture.errors import CaptureError
from vudissect.capture.reader import read_capture
from vudissect.cli.errors import clear_errors, warn
from vudissect.cli.filters import filter_option, narrowed, report_no_match
from vudissect.cli.program import Program
from vudissect.render.findings import fails
from vudissect.render.style import style_for
from vudissect.render.transcript import Transcript
from vudissect.session.event import Kind

if TYPE_CHECKING:
    from vudissect.filter import Filter


@click.command(cls=Program)
@click.option("-v", "--verbose", is_flag=True)
@filter_option("Show only what matches")
@click.option("--report-fd", type=int, required=True)
def main(verbose: bool, wanted: "Filter | None", report_fd: int) -> None:
    """Show a capture while it is recorded; started by vuproxy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # vuproxy ends the stream when it is done
    malformed = unanswered = found = 0

    def counted(analysis: Analysis) -> Iterator[Judged]:
        nonlocal malformed, unanswered, found
        for event, findings in analysis:
            malformed += event.kind is Kind.MALFORMED
            unanswered += len(event.unanswered)
            found += sum(fails(finding, strict=True) for finding in findings)
            yield event, findings

    with clear_errors("live transcript"), open(0, "rb", buffering=0, closefd=False) as stream:
        analysis = Analysis(read_capture(stream), live=True)
        transcript = Transcript(style_for(sys.stdout), verbose=verbose, verdict=analysis.session.dialect)
        shown = narrowed(wanted, counted(analysis)) if wanted is not None else None
        try:
            for event, findings in counted(analysis) if shown is None else shown:
                sys.stdout.write(transcript.text(event, findings))
                sys.stdout.flush()
        except CaptureError as error:
            warn(f"the live transcript ends here: {error}")
    rest = analysis.finish()
    unanswered += len(analysis.session.unanswered())
    found += sum(fails(finding, strict=True) for finding in rest)
    if shown is not None:
        rest, _ = shown.ending(analysis.session, rest)
    sys.stdout.write(transcript.findings(rest))
    if shown is not None and analysis.records.has_messages:
        report_no_match([shown])
    report = {"malformed": malformed, "unanswered": unanswered, "findings": found}
    os.write(report_fd, json.dumps(report).encode() + b"\n")


if __name__ == "__main__":
    # The program that the user started.
    sys.argv[0] = "vuproxy"
    main()
