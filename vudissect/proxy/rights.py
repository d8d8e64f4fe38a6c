"""The descriptors that come with a message: counted, replaced, inspected and closed."""

import socket
from array import array
from collections.abc import Callable
from contextlib import suppress
from socket import SCM_RIGHTS, SO_PASSCRED, SO_PASSSEC, SOL_SOCKET
from struct import Struct

from vudissect.host.closing import close, close_soon
from vudissect.host.descriptor import Descriptor
from vudissect.host.inspect import Inspected, examine
from vudissect.wire.framing import Rights

# Linux's socket.h: the descriptor of the sending process, on sockets with SO_PASSPIDFD.
_SCM_PIDFD = 4
_SO_PASSPIDFD = 76

# Options that make a socket add data about the sender to each read.
_ADDITIONS = (SO_PASSCRED, SO_PASSSEC, _SO_PASSPIDFD)

_INT = Struct("=i")

# Whether somebody else will close a descriptor that was inspected.
Keep = Callable[[int, Inspected], bool]


def only_rights(ancillary: Rights) -> Rights:
    """Without what a socket may be set to add, which is not for the sender to pass on (credentials, a pidfd)."""
    rights: Rights = []
    for item in ancillary:
        level, kind, _ = item
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            rights.append(item)
        elif level == SOL_SOCKET and kind == _SCM_PIDFD:
            for fd in descriptors([item]):
                close(fd)
    return rights


def move_additions(sock: socket.socket, heir: socket.socket | None = None) -> None:
    """Make a socket add nothing to reads from it, and make `heir`, which replaces it, add what it added before."""
    for option in _ADDITIONS:
        # Older kernels do not know all of them.
        with suppress(OSError):
            if sock.getsockopt(SOL_SOCKET, option):
                sock.setsockopt(SOL_SOCKET, option, 0)
                if heir:
                    heir.setsockopt(SOL_SOCKET, option, 1)


def rights_of(fds: list[int]) -> Rights:
    """The ancillary data that passes these descriptors."""
    return [(SOL_SOCKET, SCM_RIGHTS, array("i", fds).tobytes())]


def count_and_highest(rights: Rights) -> tuple[int, int]:
    """How many descriptors there are, and the highest: the last one in each set, as the kernel numbers them upwards."""
    if len(rights) == 1 and len(rights[0][2]) == _INT.size:
        return 1, _INT.unpack(rights[0][2])[0]
    count, highest = 0, -1
    for _, _, data in rights:
        held = len(data) // _INT.size
        if held:
            count += held
            highest = max(highest, _INT.unpack_from(data, (held - 1) * _INT.size)[0])
    return count, highest


def descriptors(rights: Rights) -> list[int]:
    """The descriptors in ancillary data, in order."""
    return [fd for _, _, data in rights for (fd,) in _INT.iter_unpack(data[: len(data) - len(data) % _INT.size])]


def inspect_and_close(rights: Rights, keep: Keep | None = None) -> tuple[Descriptor, ...]:
    """Inspect the descriptors, and close those that nobody keeps; neither waits for anything."""
    described: list[Descriptor] = []
    for fd in descriptors(rights):
        inspected = examine(fd)
        described.append(inspected.descriptor)
        if keep is None or not keep(fd, inspected):
            let_go(fd, slow_to_close=inspected.slow_to_close)
    return tuple(described)


def let_go(fd: int, *, slow_to_close: bool) -> None:
    """Close a descriptor, in the background if that may take long."""
    (close_soon if slow_to_close else close)(fd)
