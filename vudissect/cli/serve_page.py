"""The page of a running vuproxy, served by a separate process that reads the capture from standard input."""

import hmac
import json
import os
import signal
import sys
from threading import Lock, Thread
from typing import Final
from urllib.parse import parse_qs, urlsplit

import click

from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.cli.errors import clear_errors, warn
from vudissect.cli.program import Program
from vudissect.cli.serving import Feed, Handler, Server
from vudissect.proxy.listening import TOKEN_FD
from vudissect.report.capture import capture_page
from vudissect.report.html import Html, tag
from vudissect.report.parts import Parts

MOST_FRAMES: Final = 20_000
_MOST_TOKEN = 1024
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


class Pages:
    """Collects the first records of a session, and makes the page of them. Records are added with `lock` held."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._records: list[Record] = []
        self._is_full = False
        self._making = Lock()
        self._made: tuple[tuple[int, bool], str] = ((-1, False), "")

    def add(self, record: Record) -> None:
        """Another record."""
        if len(self._records) < MOST_FRAMES:
            self._records.append(record)
        else:
            self._is_full = True

    @property
    def count(self) -> int:
        """How many there are for the page; one more once others are left out, which the page says."""
        with self.lock:
            return len(self._records) + self._is_full

    def page(self) -> str:
        """The page, which is made only if there is something new."""
        with self._making:
            with self.lock:
                records, is_full = [*self._records], self._is_full
            now = len(records), is_full
            if self._made[0] != now:
                page = capture_page(
                    Analysis(records), "vuproxy", Parts(MOST_FRAMES), note=_note(*now), is_live=not is_full
                )
                self._made = now, page
            return self._made[1]


def _note(count: int, is_full: bool) -> Html:
    if is_full:
        text = f"the first {count} frames; more were recorded: vudissect report makes a page of the capture"
        return tag("p", text, class_="missing")
    return tag("p", f"{count} frames so far, live", id="live", role="status", class_="dim", data_count=str(count))


class _PageHandler(Handler):
    """Answers who has the token; nobody else learns what is here."""

    server: "_PageServer"

    def respond(self) -> None:
        """Send the page, or how many frames there are."""
        asked = urlsplit(self.path)
        token = parse_qs(asked.query).get("token", [""])[0]
        # A name that another site has given this address must not work.
        is_here = self.headers.get("Host") == self.server.host
        if not is_here or not hmac.compare_digest(token.encode(), self.server.token):
            self.send_error(403, "the address is not complete")
        elif asked.path == "/":
            self.answer("text/html; charset=utf-8", self.server.pages.page(), _HEADERS)
        elif asked.path == "/count":
            self.answer("application/json", json.dumps({"count": self.server.pages.count}), _HEADERS)
        else:
            self.send_error(404, "there is one page, /")


class _PageServer(Server):
    """Serves the page to who has the token."""

    def __init__(self, token: bytes, pages: Pages) -> None:
        super().__init__(_PageHandler)
        host, port = self.socket.getsockname()
        self.host = f"{host}:{port}"
        self.token = token
        self.pages = pages


@click.command(cls=Program)
def main() -> None:
    """Serve what a vuproxy records as a page; started by vuproxy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # vuproxy ends the stream when it is done
    pages = Pages()
    server = _PageServer(os.read(TOKEN_FD, _MOST_TOKEN), pages)
    with clear_errors("page"), pages.lock:
        records = read_capture(Feed(pages.lock))
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            for record in records:
                pages.add(record)
        except CaptureError as error:
            warn(f"the page ends here: {error}")


if __name__ == "__main__":
    # The program that the user started.
    sys.argv[0] = "vuproxy"
    main()
