"""The page of a session while it is recorded, served by another process: the relay only passes on what it records."""

import os
import secrets
import socket
from time import monotonic

from vudissect.host.output import write_all
from vudissect.proxy.companion import Companion
from vudissect.proxy.diagnostics import Warn
from vudissect.proxy.listening import BACKLOG, END_SECONDS, LISTENER_FD, TOKEN_FD
from vudissect.proxy.sink import MakeGap

_HERE = "127.0.0.1"


class PageServer(Companion):
    """A running server at a free port of this machine; `address` has the token. Raises `OSError` if it cannot start."""

    def __init__(self, preamble: bytes, gap: MakeGap, warn: Warn) -> None:
        token = secrets.token_urlsafe(24)
        with socket.create_server((_HERE, 0), backlog=BACKLOG) as listening:
            self.address = f"http://{_HERE}:{listening.getsockname()[1]}/?token={token}"
            token_end, token_source = os.pipe()
            try:
                write_all(token_source, token.encode())
                os.close(token_source)
                passed = {LISTENER_FD: listening.fileno(), TOKEN_FD: token_end}
                super().__init__("vudissect.cli.serve_page", [], "page", preamble, gap, warn, passed)
            finally:
                os.close(token_end)

    def finish(self) -> None:
        """End it, once the sink is closed."""
        self.end(monotonic() + END_SECONDS)
