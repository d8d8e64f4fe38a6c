"""Errors of Linux as programs log them, and what they usually mean where a socket carries vhost-user."""

import re
from typing import NamedTuple


class Errno(NamedTuple):
    """An error: its number, name and text on Linux, and what it usually means here."""

    number: int
    name: str
    text: str
    meaning: str


ERRNOS = (
    Errno(
        1,
        "EPERM",
        "Operation not permitted",
        "QEMU before 6.1 reports any failed request like this (-1): the connection is lost, or the back-end refused",
    ),
    Errno(
        2,
        "ENOENT",
        "No such file or directory",
        "the socket does not exist: the program that listens on it has not started yet, or the path differs",
    ),
    Errno(4, "EINTR", "Interrupted system call", "a signal arrived; the call has to be repeated"),
    Errno(
        5,
        "EIO",
        "Input/output error",
        "the other side closed the connection in the middle, or the back-end answered that it failed",
    ),
    Errno(6, "ENXIO", "No such device or address", "the other end of the socket or pipe is not open"),
    Errno(7, "E2BIG", "Argument list too long", "more regions or queues than there is room for"),
    Errno(9, "EBADF", "Bad file descriptor", "a descriptor was closed too early, or did not come with its message"),
    Errno(
        11,
        "EAGAIN",
        "Resource temporarily unavailable",
        "a non-blocking socket has no data yet, or a time-out of the socket has expired",
    ),
    Errno(
        12,
        "ENOMEM",
        "Cannot allocate memory",
        "memory cannot be mapped: too few huge pages, or a limit on locked or virtual memory",
    ),
    Errno(13, "EACCES", "Permission denied", "the owner or mode of the socket, SELinux or AppArmor forbid it"),
    Errno(14, "EFAULT", "Bad address", "an address is in no memory region that the back-end was sent"),
    Errno(
        16,
        "EBUSY",
        "Device or resource busy",
        "the device is in use by another front-end, or still has requests in flight",
    ),
    Errno(17, "EEXIST", "File exists", "the socket of an earlier run is still there"),
    Errno(19, "ENODEV", "No such device", "the file of a memory region cannot be mapped"),
    Errno(
        22,
        "EINVAL",
        "Invalid argument",
        "a value that the other program does not accept; in QEMU any request on a lost connection",
    ),
    Errno(23, "ENFILE", "Too many open files in system", "the host has no more descriptors"),
    Errno(
        24,
        "EMFILE",
        "Too many open files",
        "the limit on descriptors (ulimit -n) is too low for so many rings and regions",
    ),
    Errno(28, "ENOSPC", "No space left on device", "no more huge pages, or /dev/shm is full"),
    Errno(32, "EPIPE", "Broken pipe", "the other side has closed the connection"),
    Errno(36, "ENAMETOOLONG", "File name too long", "the path of a Unix socket has at most 107 bytes"),
    Errno(38, "ENOSYS", "Function not implemented", "the program or the kernel does not support the request"),
    Errno(61, "ENODATA", "No data available", "the other side has nothing to read"),
    Errno(
        71,
        "EPROTO",
        "Protocol error",
        "the other side closed the connection, or its answer has the wrong number, size or flags",
    ),
    Errno(75, "EOVERFLOW", "Value too large for defined data type", "an address or a size is too large"),
    Errno(88, "ENOTSOCK", "Socket operation on non-socket", "the descriptor or path is not a socket"),
    Errno(90, "EMSGSIZE", "Message too long", "the message or its descriptors do not fit"),
    Errno(95, "EOPNOTSUPP", "Operation not supported", "the feature that it needs is not negotiated"),
    Errno(
        98,
        "EADDRINUSE",
        "Address already in use",
        "the socket still exists: another program listens on it, or it is left over from an earlier run",
    ),
    Errno(103, "ECONNABORTED", "Software caused connection abort", "the connection was closed before it was accepted"),
    Errno(
        104,
        "ECONNRESET",
        "Connection reset by peer",
        "the other side died or closed the connection with unread data",
    ),
    Errno(
        105, "ENOBUFS", "No buffer space available", "a message or a descriptor does not fit into the receiver's buffer"
    ),
    Errno(107, "ENOTCONN", "Transport endpoint is not connected", "the connection is closed, or was never established"),
    Errno(108, "ESHUTDOWN", "Cannot send after transport endpoint shutdown", "the connection was shut down"),
    Errno(
        109,
        "ETOOMANYREFS",
        "Too many references: cannot splice",
        "too many descriptors are in flight on sockets of this user",
    ),
    Errno(110, "ETIMEDOUT", "Connection timed out", "the other side did not answer in time"),
    Errno(
        111,
        "ECONNREFUSED",
        "Connection refused",
        "nothing listens on the socket: its file is left over from an earlier run",
    ),
    Errno(112, "EHOSTDOWN", "Host is down", "the other side is gone"),
    Errno(
        125,
        "ECANCELED",
        "Operation canceled",
        "the operation was cancelled, usually because the VM was stopped or migration was cancelled",
    ),
)

_BY_NUMBER = {errno.number: errno for errno in ERRNOS}
_BY_WORDS = {word.lower(): errno for errno in ERRNOS for word in (errno.text, errno.name)} | {
    "not supported": _BY_NUMBER[95],
    "connection reset": _BY_NUMBER[104],
}
_SAID = re.compile(
    r"(?:\berrno(?: is)?[ :=(]{1,3}|Os \{ code: |\(os error |\(errno )-?(\d{1,3})(?!\d)"
    r"|\b(" + "|".join(sorted(map(re.escape, _BY_WORDS), key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)


def errno_of(number: int) -> Errno | None:
    """The error of this number, positive or negative."""
    return _BY_NUMBER.get(abs(number))


def errnos_in(text: str) -> tuple[Errno, ...]:
    """The errors that a line names, by number or as text."""
    found: dict[Errno, None] = {}
    for match in _SAID.finditer(text):
        errno = errno_of(int(match[1])) if match[1] else _BY_WORDS[match[2].lower()]
        if errno is not None:
            found[errno] = None
    return tuple(found)
