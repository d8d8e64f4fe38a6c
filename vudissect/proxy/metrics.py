"""Metrics of a running proxy, collected and served by another process: the relay only passes on what it records."""

import ipaddress
import os
import socket
from contextlib import suppress
from dataclasses import dataclass

from vudissect.host.address import AddressError, Role, parse_address
from vudissect.host.endpoint import Listener
from vudissect.host.text import escaped
from vudissect.proxy.companion import Companion, Feed
from vudissect.proxy.listening import BACKLOG, LISTENER_FD

_FORMS = "unix:PATH, 127.0.0.1:PORT or textfile:PATH"


@dataclass(frozen=True, slots=True)
class Place:
    """Where metrics can be read: at a socket in the file system, at a port of this machine, or in a file."""

    path: str = ""
    host: str = ""
    port: int = 0
    is_file: bool = False

    def __str__(self) -> str:
        if not self.port:
            return self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"


def parse_place(text: str) -> Place:
    """From `unix:PATH`, `127.0.0.1:PORT` or `textfile:PATH`; raises `AddressError`."""
    kind, _, rest = text.partition(":")
    if kind in ("unix", "textfile"):
        if not rest:
            raise AddressError(f"--metrics {text}: the path is missing: write {_FORMS}")
        return Place(rest, is_file=kind == "textfile")
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise AddressError(f"--metrics {text}: write {_FORMS}")
    host = host.strip("[]")
    try:
        is_here = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback
    except ValueError:
        raise AddressError(f"--metrics {text}: {host!r} is not an address: write {_FORMS}") from None
    if not is_here:
        raise AddressError(f"--metrics {text}: only addresses of this machine, such as 127.0.0.1:{port}, are served")
    return Place(host=host, port=int(port))


class MetricsServer(Companion):
    """A running server: it counts what its sink receives. Raises `AddressError` or `OSError` if it cannot start."""

    def __init__(self, place: Place, name: str, feed: Feed) -> None:
        """`name` tells these metrics from those of other proxies."""
        self.line = f"metrics at {escaped(str(place))}"
        if place.is_file:
            _check_file(place.path)
            super().__init__(_MODULE, ["--socket", name, "--textfile", place.path], _NAME, feed)
            return
        listener = None if place.port else Listener(parse_address(Role.LISTEN, place.path))
        listening = _bound(place) if listener is None else listener.socket
        listening.setblocking(True)
        super().__init__(_MODULE, ["--socket", name], _NAME, feed, {LISTENER_FD: listening.fileno()}, listener)
        if listener is None:
            listening.close()


_MODULE = "vudissect.cli.serve_metrics"
_NAME = "metrics"


def _bound(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((place.host, place.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise AddressError(f"--metrics: cannot listen at {place}: {error.strerror}") from None
    return listening


def _check_file(path: str) -> None:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise AddressError(f"--metrics: cannot write {path}: {folder} is not a folder that this user can write to")
    if os.path.isdir(path):
        raise AddressError(f"--metrics: {path} is a folder: name a file in it, such as vuproxy.prom")
    with suppress(OSError):
        os.unlink(path)
