"""Serving over HTTP beside a running vuproxy: the capture comes on standard input, answers go out at a socket."""

import os
import socket
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from vudissect.proxy.listening import LISTENER_FD

_STDIN = 0
_CLIENT_SECONDS = 5.0


class Feed:
    """Standard input, which is read without the lock, while all else of this thread is done with it."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        self._lock.release()
        try:
            return os.read(_STDIN, size)
        finally:
            self._lock.acquire()


class Handler(BaseHTTPRequestHandler):
    """Answers one request of a client."""

    timeout = _CLIENT_SECONDS
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request for `path`."""
        self.respond()

    def respond(self) -> None:
        """What a subclass answers."""
        raise NotImplementedError

    def answer(self, kind: str, text: str, headers: Mapping[str, str]) -> None:
        """Send a text of this content type."""
        body = text.encode()
        self.send_response(200)
        fixed = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
        for name, value in {**fixed, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads a log of this."""

    def address_string(self) -> str:
        """A client at a Unix socket has no address."""
        return ""


class Server(ThreadingHTTPServer):
    """Serves the listening socket that vuproxy has opened, of any family."""

    daemon_threads = True

    def __init__(self, handler: type[Handler]) -> None:
        super().__init__(("", 0), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=LISTENER_FD)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not an error."""
