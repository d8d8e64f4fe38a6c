"""The process at the other end of a Unix socket."""

import os
from socket import SO_PEERCRED, SOL_SOCKET, socket
from struct import Struct
from typing import NamedTuple

_UCRED = Struct("=iII")


class Peer(NamedTuple):
    """A process that connected, or that was listening.

    `pid` is 0 if there is no peer or this PID namespace does not show it; `command` and `executable` are "" if
    /proc does not have them.
    """

    pid: int
    uid: int
    gid: int
    command: str = ""
    executable: str = ""

    def details(self, label: str) -> dict[str, str | int]:
        """The facts under their names in captures for a peer with this label (`front-end`, `back-end`)."""
        prefix = label.replace("-", "_")
        return {f"{prefix}_{name}": value for name, value in self._asdict().items()}


def peer_of(sock: socket) -> Peer:
    """The peer of a Unix socket at the time of the connection; raises `OSError` if the socket is closed."""
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(SOL_SOCKET, SO_PEERCRED, _UCRED.size))
    return Peer(pid, uid, gid, _command(pid), _executable(pid))


def process(pid: int) -> Peer:
    """A process that runs; raises `OSError` if it does not."""
    status = os.stat(f"/proc/{pid}")
    return Peer(pid, status.st_uid, status.st_gid, _command(pid), _executable(pid))


def this_process() -> Peer:
    """This process, as seen by a peer."""
    pid = os.getpid()
    return Peer(pid, os.getuid(), os.getgid(), _command(pid), _executable(pid))


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().decode(errors="backslashreplace").rstrip("\n")
    except OSError:
        return ""


def _executable(pid: int) -> str:
    try:
        return os.readlink(b"/proc/%d/exe" % pid).decode(errors="backslashreplace")
    except OSError:
        return ""
