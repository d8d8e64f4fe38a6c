"""The sockets of the two sides: created, probed, connected, and removed."""

import errno
import os
import socket
import stat
from contextlib import suppress
from enum import Enum, auto
from socket import AF_UNIX, SO_ACCEPTCONN, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET

from vudissect.host.access import PRIVATE, Access
from vudissect.host.address import Address, AddressError

_BACKLOG = 128

# Nobody is there (yet): worth another try.
_ABSENT = {errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN}


def claim(address: Address) -> None:
    """Make sure that `fd:N` is a socket, and that child processes do not inherit it; raises `AddressError`."""
    if address.fd is not None:
        inherited = _inherited(address.fd)
        inherited.set_inheritable(False)
        inherited.detach()


def refuse_same(front_end: Address, back_end: Address) -> None:
    """Make sure that both sides are not the same socket, however it is spelled; raises `AddressError`."""
    if _place(front_end) == _place(back_end):
        raise _same(front_end, back_end)


class Listener:
    """A listening socket. Its file has mode 0600 from the first moment, then that of `access` where it is wider.

    It is removed when the listener is closed.
    """

    def __init__(self, address: Address, access: Access = PRIVATE) -> None:
        """Listen; raises `AddressError` if that is not possible."""
        self._address = address
        self._access = access
        self._inode: tuple[int, int] | None = None
        self._is_ours = address.fd is None
        try:
            if address.fd is None:
                self.socket = self._bind()
            else:
                self.socket = _inherited(address.fd)
                if not self.socket.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
                    raise AddressError(f"{address}: does not listen; for a connected socket use connect:{address}")
        except OSError as error:
            raise AddressError(f"{address}: cannot listen there: {error.strerror}") from None
        self._name = _bound_name(self.socket)
        if not self._is_ours and os.path.isabs(self._name):
            self._inode = _inode(self._name)
        self.socket.setblocking(False)

    def refuse_call(self, address: Address) -> None:
        """Make sure that connecting to this address would not reach this socket; raises `AddressError`."""
        if address.fd is not None:
            return
        if address.is_path:
            arrives = self._inode is not None and _inode(address.name, follow=True) == self._inode
        else:
            arrives = self._name == address.name
        if arrives:
            raise _same(self._address, address)

    def accept(self) -> socket.socket | None:
        """The next peer, None if there is none; raises `OSError` if this process is out of resources."""
        try:
            return self.socket.accept()[0]
        except (BlockingIOError, ConnectionAbortedError):
            return None

    def close(self) -> None:
        """Stop listening. The file is removed if it is still the one created here."""
        self.socket.close()
        if self._is_ours and self._inode is not None:
            self._remove()

    def _bind(self) -> socket.socket:
        if self._address.is_path:
            _remove_dead(self._address)
        listening = socket.socket(AF_UNIX, SOCK_STREAM)
        try:
            # Before the file exists, so that there is no moment in which others may connect.
            os.fchmod(listening.fileno(), 0o600)
            listening.bind(self._address.name)
            if self._address.is_path:
                self._inode = _inode(self._address.name)
                self._open_up()
            listening.listen(_BACKLOG)
        except BaseException:
            listening.close()
            if self._inode is not None:
                self._remove()
            raise
        return listening

    def _open_up(self) -> None:
        if self._access.is_private:
            return
        try:
            self._access.give(self._address.name)
        except PermissionError as error:
            raise AddressError(
                f"{self._address}: {error.strerror}: only root can give it to another user or to a group that this "
                "user is not in"
            ) from None

    def _remove(self) -> None:
        if self._inode == _inode(self._address.name):
            with suppress(OSError):
                os.unlink(self._address.name)


class Presence(Enum):
    """Whether somebody is at an address that the proxy connects to."""

    THERE = auto()
    ABSENT = auto()
    UNKNOWN = auto()


def look_for(address: Address) -> Presence:
    """Whether somebody listens there, without a connection that the listener would see."""
    if address.fd is not None:
        return Presence.THERE
    # A datagram socket cannot connect to a stream socket, but learns whether there is one.
    with socket.socket(AF_UNIX, SOCK_DGRAM) as probe:
        error = probe.connect_ex(address.name)
    if error == errno.EPROTOTYPE:
        return Presence.THERE
    return Presence.ABSENT if error in _ABSENT else Presence.UNKNOWN


def dial(address: Address) -> socket.socket | None:
    """Connect; None if nobody is there yet.

    Raises `AddressError` if waiting will not help, `OSError` if this process is out of resources.
    """
    if address.fd is not None:
        return _inherited(address.fd)
    calling = socket.socket(AF_UNIX, SOCK_STREAM)
    calling.setblocking(False)
    try:
        calling.connect(address.name)
    except OSError as error:
        calling.close()
        if error.errno in _ABSENT:
            return None
        raise AddressError(f"{address}: cannot connect: {error.strerror}") from None
    return calling


def _inherited(fd: int) -> socket.socket:
    try:
        inherited = socket.socket(fileno=fd)
    except OSError as error:
        raise AddressError(f"fd:{fd}: {error.strerror}: expected a Unix stream socket") from None
    if inherited.family != AF_UNIX or inherited.type != SOCK_STREAM:
        inherited.detach()
        raise AddressError(f"fd:{fd}: not a Unix stream socket")
    return inherited


def _inode(path: str, *, follow: bool = False) -> tuple[int, int] | None:
    try:
        status = os.stat(path, follow_symlinks=follow)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _bound_name(sock: socket.socket) -> str:
    """The name of a socket as in an `Address`."""
    name: str | bytes = sock.getsockname()
    return os.fsdecode(name)


def _place(address: Address) -> tuple[str, object]:
    """A value that is equal for two addresses of the same socket."""
    if address.fd is not None:
        status = os.fstat(address.fd)
        return "descriptor", (status.st_dev, status.st_ino)
    if address.is_path:
        return "path", os.path.realpath(address.name)
    return "abstract", address.name


def _same(one: Address, other: Address) -> AddressError:
    return AddressError(f"{one} and {other} are the same socket: each side needs a socket of its own")


def _remove_dead(address: Address) -> None:
    """Make room for a new socket file by removing a socket that nobody listens on."""
    try:
        mode = os.lstat(address.name).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise AddressError(f"{address}: exists and is not a socket: choose another path, or remove it")
    if look_for(address) is not Presence.ABSENT:
        raise AddressError(f"{address}: in use by a running program: end it, or choose another path")
    os.unlink(address.name)
