"""The memory and the event descriptors of another process.

They are duplicated with pidfd_getfd(2), which needs the permission to trace the process. The process does not notice.
"""

import ctypes
import errno
import os
import socket
from contextlib import suppress

from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.host.inspect import inspect
from vudissect.host.peer import Peer, peer_of

# The same number on every architecture; neither the C library nor Python has the call everywhere.
_PIDFD_GETFD = 438
_MEMORY = frozenset({DescriptorKind.MEMFD, DescriptorKind.FILE})
_KEPT = _MEMORY | {DescriptorKind.EVENTFD}


class ProcessFiles:
    """Duplicates of descriptors of processes, by what they refer to."""

    def __init__(self) -> None:
        self._fds: dict[str, int] = {}
        # The identities of memory by the name that the kernel has for it.
        self._memory: dict[str, list[str]] = {}

    def add(self, pid: int) -> None:
        """Duplicate those of a process. `OSError` if it is gone or may not be examined."""
        process = os.pidfd_open(pid)
        try:
            for number in os.listdir(f"/proc/{pid}/fd"):
                self._add(process, int(number))
        finally:
            os.close(process)

    def take(self, wanted: Descriptor) -> int | None:
        """A descriptor of the same open object, which the caller closes; None if there is none.

        Logs do not identify memory: there it is the one with the same name, if that is the only one.
        """
        fd = self._fds.get(wanted.identity)
        if fd is None and not wanted.is_examined and wanted.kind in _MEMORY:
            named = self._memory.get(wanted.name, ())
            fd = self._fds[named[0]] if len(named) == 1 else None
        return os.dup(fd) if fd is not None else None

    def empty(self) -> None:
        """Close all of them."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self._memory.clear()

    def _add(self, process: int, number: int) -> None:
        # It may have closed this one in the meantime.
        with suppress(_ClosedError):
            fd = _duplicate(process, number)
            descriptor = inspect(fd)
            if descriptor.kind in _KEPT and descriptor.identity and descriptor.identity not in self._fds:
                self._fds[descriptor.identity] = fd
                if descriptor.kind in _MEMORY:
                    self._memory.setdefault(descriptor.name, []).append(descriptor.identity)
            else:
                os.close(fd)


def open_files(pid: int) -> dict[int, Descriptor]:
    """The descriptors of a process, by number. `OSError` if it is gone or may not be examined."""
    found: dict[int, Descriptor] = {}
    process = os.pidfd_open(pid)
    try:
        for number in map(int, os.listdir(f"/proc/{pid}/fd")):
            with suppress(_ClosedError):
                fd = _duplicate(process, number)
                try:
                    found[number] = inspect(fd)
                finally:
                    os.close(fd)
    finally:
        os.close(process)
    return found


def peer_at(pid: int, number: int) -> Peer | None:
    """The process at the other end of a process's Unix socket; None if it is not one, or cannot be examined."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        with socket.socket(fileno=_duplicate(process, number)) as sock:
            return peer_of(sock) if sock.family == socket.AF_UNIX else None
    except (OSError, _ClosedError):
        return None
    finally:
        os.close(process)


def path_at(pid: int, number: int, inode: int) -> str:
    """The path of a process's descriptor; empty if it is not of the file with this inode (any more)."""
    link = f"/proc/{pid}/fd/{number}"
    try:
        path = os.readlink(link)
        return path if os.stat(link).st_ino == inode else ""
    except OSError:
        return ""


class _ClosedError(Exception):
    """The process does not have this descriptor."""


def _duplicate(process: int, number: int) -> int:
    fd: int = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, number, 0)
    if fd >= 0:
        return fd
    error = ctypes.get_errno()
    if error in (errno.EPERM, errno.ESRCH, errno.ENOSYS):
        raise OSError(error, os.strerror(error))
    raise _ClosedError
