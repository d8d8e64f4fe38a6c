"""The metrics of a running vuproxy, served by a separate process that reads the capture from standard input."""

import os
import signal
import sys
from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic_ns

import click

from vudissect import __version__
from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError
from vudissect.capture.reader import read_capture
from vudissect.cli.errors import clear_errors, warn
from vudissect.cli.program import Program
from vudissect.cli.serving import Feed, Handler, Server
from vudissect.host.output import write_private
from vudissect.metrics.collect import Metrics
from vudissect.metrics.openmetrics import CONTENT_TYPE, text_of

_WRITE_EVERY_SECONDS = 5.0
# node_exporter runs as another user.
_READABLE = 0o644


class _MetricsHandler(Handler):
    """Answers GET /metrics; anything else does not exist."""

    server: "_MetricsServer"

    def respond(self) -> None:
        """Send the metrics."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, "only /metrics is here")
        else:
            self.answer(CONTENT_TYPE, self.server.made(), {})


class _MetricsServer(Server):
    """Serves what is made when it is asked for."""

    def __init__(self, made: Callable[[], str]) -> None:
        super().__init__(_MetricsHandler)
        self.made = made


def _write_now_and_then(path: str, made: Callable[[], str], is_over: Event) -> None:
    has_failed = False
    while True:
        over = is_over.wait(_WRITE_EVERY_SECONDS)
        try:
            write_private(path, made().encode())
            os.chmod(path, _READABLE)
            has_failed = False
        except OSError as error:
            if not has_failed:
                warn(f"metrics: {path}: cannot be written: {error.strerror}: it is tried again")
            has_failed = True
        if over:
            return


@click.command(cls=Program)
@click.option("--socket", "name", required=True, help="The label of all samples.")
@click.option("--textfile", help="Where to write the metrics; without it they are served.")
@click.option("--report-fd", type=int)
def main(name: str, textfile: str | None, report_fd: int | None) -> None:
    """Count what a vuproxy records, and serve the numbers; started by vuproxy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # vuproxy ends the stream when it is done
    lock, is_over = Lock(), Event()
    with clear_errors("metrics"), lock:
        analysis = Analysis(read_capture(Feed(lock)), live=True)
        metrics = Metrics(analysis.session, __version__)

        def made() -> str:
            with lock:
                return text_of(metrics.families(monotonic_ns()), {"socket": name})

        if textfile:
            worker = Thread(target=_write_now_and_then, args=(textfile, made, is_over))
        else:
            worker = Thread(target=_MetricsServer(made).serve_forever, daemon=True)
        worker.start()
        try:
            for event, findings in analysis:
                metrics.add(event, findings)
        except CaptureError as error:
            warn(f"the metrics end here: {error}")
        metrics.add_findings(analysis.finish())
    is_over.set()
    if textfile:
        worker.join()


if __name__ == "__main__":
    # The program that the user started.
    sys.argv[0] = "vuproxy"
    main()
