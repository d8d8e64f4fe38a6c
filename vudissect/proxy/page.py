"""The page of a session while it is recorded, served by another process: the relay only passes on what it records."""

import os
import secrets
import socket

from vudissect.host.output import write_all
from vudissect.proxy.companion import Companion, Feed
from vudissect.proxy.listening import BACKLOG, LISTENER_FD, TOKEN_FD

_HERE = "127.0.0.1"


class PageServer(Companion):
    """A running server at a free port of this machine. Raises `OSError` if it cannot start."""

    def __init__(self, feed: Feed) -> None:
        token = secrets.token_urlsafe(24)
        with socket.create_server((_HERE, 0), backlog=BACKLOG) as listening:
            self.line = f"page at http://{_HERE}:{listening.getsockname()[1]}/?token={token}"
            token_end, token_source = os.pipe()
            try:
                write_all(token_source, token.encode())
                os.close(token_source)
                passed = {LISTENER_FD: listening.fileno(), TOKEN_FD: token_end}
                super().__init__("vudissect.cli.serve_page", [], "page", feed, passed)
            finally:
                os.close(token_end)
