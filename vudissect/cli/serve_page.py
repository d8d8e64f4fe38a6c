"""The page of a running vuproxy, served by a separate process that reads the capture from standard input."""

import hmac
import json
import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click

from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.cli.errors import clear_errors, warn
from vudissect.cli.program import Program
from vudissect.proxy.page import LISTENER_FD, TOKEN_FD
from vudissect.report.capture import capture_page
from vudissect.report.html import tag

MOST_FRAMES = 20_000
_STDIN = 0
_CLIENT_SECONDS = 5.0
_MOST_TOKEN = 1024


class _Feed:
    """Standard input, as it comes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        return os.read(_STDIN, size)


class _Pages:
    """The records so far, of which it keeps as many as a page has, and the page of them."""

    def __init__(self) -> None:
        self.count = 0
        self._records: list[Record] = []
        self._lock = Lock()
        self._made = (-1, "")

    def add(self, record: Record) -> None:
        """Another record."""
        self.count += 1
        if len(self._records) < MOST_FRAMES:
            self._records.append(record)

    def page(self) -> str:
        """The page, which is made only if there is something new."""
        with self._lock:
            count, records = self.count, [*self._records]
            if self._made[0] != count:
                self._made = count, _page(records, count)
            return self._made[1]


def _page(records: list[Record], count: int) -> str:
    state = f"{count} frames so far, live"
    if count > len(records):
        state += f"; only the first {len(records)} are here: vudissect report makes a page of the capture"
    news = tag("p", state, id="live", role="status", class_="dim", data_count=str(count))
    return capture_page(Analysis(records), "vuproxy", MOST_FRAMES, news=news)


class _Handler(BaseHTTPRequestHandler):
    """Answers who has the token; nobody else learns what is here."""

    timeout = _CLIENT_SECONDS
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        """Send the page, or how many frames there are."""
        asked = urlsplit(self.path)
        token = parse_qs(asked.query).get("token", [""])[0]
        # A name that another site has given this address must not work.
        is_here = self.headers.get("Host") == self.server.host
        if not is_here or not hmac.compare_digest(token.encode(), self.server.token):
            self.send_error(403, "the address is not complete")
        elif asked.path == "/":
            self._send("text/html; charset=utf-8", self.server.pages.page())
        elif asked.path == "/count":
            self._send("application/json", json.dumps({"count": self.server.pages.count}))
        else:
            self.send_error(404, "there is one page, /")

    def _send(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads a log of this."""


class _Server(ThreadingHTTPServer):
    """Serves the listening socket that vuproxy has opened."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, token: bytes, pages: _Pages) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        host, port = listening.getsockname()
        self.host = f"{host}:{port}"
        self.token = token
        self.pages = pages

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not an error."""


@click.command(cls=Program)
def main() -> None:
    """Serve what a vuproxy records as a page; started by vuproxy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # vuproxy ends the stream when it is done
    pages = _Pages()
    token = os.read(TOKEN_FD, _MOST_TOKEN)
    server = _Server(socket.socket(fileno=LISTENER_FD), token, pages)
    with clear_errors("page"):
        records = read_capture(_Feed())
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
