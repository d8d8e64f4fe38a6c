"""Captures as files: private, never written through a link; an older file is kept until the new one has begun."""

import errno
import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_PRIVATE: Final = 0o600
_INHERITED: Final = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")
_STANDARD_STREAMS: Final = {"/dev/stdout": 1, "/dev/stderr": 2}


@contextmanager
def beginning(path: str, *, text_on: Collection[int] = (), replace: bool = True, flags: int = 0) -> Iterator[int]:
    """Open an output: yields a descriptor to a block that writes the beginning; the caller closes it later.

    A regular file is a new one, which gets its name when the block has succeeded. Named pipes, devices and inherited
    descriptors (/dev/stdout, /dev/fd/N) are opened as they are, with these additional `flags`. A terminal is refused,
    and so is anything that one of the descriptors `text_on`, to which text is written, refers to. Raises `OSError`.
    """
    _refuse_mixture(path, _status(path), text_on)
    number = _inherited(path)
    if number is not None:
        yield _checked(path, _duplicate(path, number), text_on)
    elif _is_special(path):
        yield _checked(path, _open_special(path, flags), text_on)
    else:
        yield from _new_file(path, replace)


def write_private(path: str, data: bytes, *, text_on: Collection[int] = ()) -> None:
    """Write a whole output; raises `OSError`, and then an older file is still there."""
    with beginning(path, text_on=text_on) as fd:
        try:
            write_all(fd, data)
        finally:
            os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write to a blocking descriptor until nothing is left; raises `OSError`."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def same_file(one: int, other: int) -> bool:
    """Whether two descriptors refer to the same file, pipe or socket; devices do not count."""
    return _is_same(os.fstat(one), os.fstat(other))


def is_file(path: str) -> bool:
    """Whether a regular file has this name; an inherited descriptor has none of its own."""
    status = None if _inherited(path) is not None else _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def _new_file(path: str, replace: bool) -> Iterator[int]:
    folder, _ = os.path.split(path)
    first_name = os.path.join(folder, f".vudissect-{os.urandom(8).hex()}") if replace else path
    try:
        fd = os.open(first_name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    try:
        yield fd
        if replace:
            os.replace(first_name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(first_name)
        raise


def _is_special(path: str) -> bool:
    """Whether `path` is a pipe or a device rather than a file to create; raises `OSError` if it cannot be written."""
    status = _status(path)
    if status is None:
        return False
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        raise OSError(errno.ELOOP, "is a symbolic link, which is not followed", path)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if kind == stat.S_IFREG:
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return False
    return True


def _open_special(path: str, flags: int) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC | flags)
    if stat.S_ISFIFO(mode := os.fstat(fd).st_mode) or stat.S_ISCHR(mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "is neither a file nor a pipe", path)


def _inherited(path: str) -> int | None:
    match = _INHERITED.fullmatch(path)
    return int(match[1]) if match else _STANDARD_STREAMS.get(path)


def _duplicate(path: str, number: int) -> int:
    # Descriptors that this process opened for itself are not inheritable, those that it inherited are.
    with suppress(OSError):
        if os.get_inheritable(number):
            return os.dup(number)
    raise OSError(errno.EBADF, os.strerror(errno.EBADF), path)


def _checked(path: str, fd: int, text_on: Collection[int]) -> int:
    try:
        if os.isatty(fd):
            raise OSError(errno.EINVAL, "is a terminal", path)
        _refuse_mixture(path, os.fstat(fd), text_on)
    except OSError:
        os.close(fd)
        raise
    return fd


def _refuse_mixture(path: str, status: os.stat_result | None, text_on: Collection[int]) -> None:
    if status and any(_is_same(status, os.fstat(text)) for text in text_on):
        raise OSError(errno.EINVAL, "messages are also written there", path)


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    kind = stat.S_IFMT(one.st_mode)
    is_shared = kind in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK)
    return is_shared and (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
