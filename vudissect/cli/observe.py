"""The live transcript of a running vuproxy, as a separate process that reads the capture from standard input.

At the end it reports what it found, as one JSON object, on the descriptor given by `--report-fd`.
"""

import json
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from time import monotonic_ns
from typing import TYPE_CHECKING

import click

from vudissect.analysis import Analysis, Judged
from vudissect.capture.errors import CaptureError
from vudissect.capture.reader import read_capture
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.errors import clear_errors, warn
from vudissect.cli.filters import filter_option, narrowed, report_no_match
from vudissect.cli.output import screen_width
from vudissect.cli.program import Program
from vudissect.render.findings import fails
from vudissect.render.summary import summary_lines
from vudissect.render.transcript import Transcript
from vudissect.session.event import Kind
from vudissect.session.pairing import Request
from vudissect.session.state import State
from vudissect.session.waits import Patience, long_waits
from vudissect.summary.collect import Collector

if TYPE_CHECKING:
    from vudissect.filter import Filter

_STDIN = 0
# The summary lists no more of them.
_MOST_WAITS = 5
_LOOK_EVERY_SECONDS = 0.5


class _Feed:
    """Standard input; while nothing is there to be read, `in_pause` is called now and then."""

    def __init__(self) -> None:
        self.in_pause: Callable[[], None] = lambda: None

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        patience = 0.0
        while not select.select([_STDIN], [], [], patience)[0]:
            self.in_pause()
            patience = _LOOK_EVERY_SECONDS
        return os.read(_STDIN, size)


class _Found:
    """What is counted on the way, and the requests that never got their answer though they waited long."""

    def __init__(self) -> None:
        self.malformed = self.unanswered = self.findings = 0
        self.waits: list[str] = []

    def count(self, judged: Iterable[Judged]) -> Iterator[Judged]:
        """The same events."""
        for event, findings in judged:
            # Of one that was cut nobody knows.
            self.malformed += event.kind is Kind.MALFORMED and not event.record.is_cut
            self.findings += sum(fails(finding, strict=True) for finding in findings)
            if event.unanswered:
                self.unanswered += len(event.unanswered)
                self._waited(event.before, event.unanswered, event.record.received)
            yield event, findings

    def end(self, analysis: Analysis) -> None:
        """Count what still waits where the stream ends."""
        session = analysis.session
        for number, state in session.states.items():
            owed = session.pairing(number).owed()
            self.unanswered += len(owed)
            self._waited(state, owed, monotonic_ns())

    def _waited(self, state: State, requests: tuple[Request, ...], now: int) -> None:
        self.waits += [wait.text for wait in long_waits(state, requests, now)][: _MOST_WAITS - len(self.waits)]


@click.command(cls=Program)
@click.option("-v", "--verbose", is_flag=True)
@filter_option("Show only what matches")
@click.option("--capture", required=True, help="The name of the capture, for the summary.")
@click.option("--report-fd", type=int, required=True)
@color_option
def main(verbose: bool, wanted: "Filter | None", capture: str, report_fd: int) -> None:
    """Show a capture while it is recorded; started by vuproxy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # vuproxy ends the stream when it is done
    found, feed, collector = _Found(), _Feed(), Collector()
    with clear_errors("live transcript"):
        analysis = Analysis(read_capture(feed), live=True)
        transcript = Transcript(output_style(), verbose=verbose, verdict=analysis.session.dialect)
        patience = Patience(analysis.session)

        def report_waits() -> None:
            # What waits is shown whatever the filter: it is why nothing else comes.
            text = transcript.waiting(patience.overdue(monotonic_ns()))
            if text:
                sys.stdout.write(text)
                sys.stdout.flush()

        feed.in_pause = report_waits
        counted = collector.watch(found.count(analysis))
        shown = narrowed(wanted, counted) if wanted is not None else None
        try:
            for event, findings in counted if shown is None else shown:
                sys.stdout.write(transcript.text(event, findings))
                sys.stdout.flush()
        except CaptureError as error:
            warn(f"the live transcript ends here: {error}")
    rest = analysis.finish()
    found.end(analysis)
    found.findings += sum(fails(finding, strict=True) for finding in rest)
    summary = collector.finish(analysis.session, rest, capture, withheld=sum(analysis.withheld.values()))
    if shown is not None:
        rest, _ = shown.ending(analysis.session, rest)
    sys.stdout.write(transcript.findings(rest))
    if shown is not None and analysis.records.has_messages:
        report_no_match(shown)
    if summary.messages:
        sys.stdout.writelines(
            f"{line}\n" for line in ("", *summary_lines(summary, output_style(), screen_width(), short=True))
        )
    counts = {"malformed": found.malformed, "unanswered": found.unanswered, "findings": found.findings}
    os.write(report_fd, json.dumps({"counts": counts, "waits": found.waits}).encode() + b"\n")


if __name__ == "__main__":
    # The program that the user started.
    sys.argv[0] = "vuproxy"
    main()
