"""The status of an open file from the kernel's cache, without asking the server of a file system.

This is statx(2) with AT_STATX_DONT_SYNC, which the os module does not have.
"""

import os
from functools import cache
from struct import Struct
from typing import Any, NamedTuple

# linux/fcntl.h and linux/stat.h
_AT_EMPTY_PATH = 0x1000
_AT_STATX_DONT_SYNC = 0x4000
_STATX_TYPE_INO_SIZE = 0x1 | 0x100 | 0x200
_STATX_SIZE = 256

# stx_mode, stx_ino, stx_size, then stx_dev_major and stx_dev_minor
_STATX = Struct("=28xH2xQQ88xII")


class CachedStatus(NamedTuple):
    """The known status: `device` and `inode` as from stat, `mode` with the file type, `size` in bytes."""

    device: int
    inode: int
    mode: int
    size: int


def cached_status(fd: int) -> CachedStatus | None:
    """The status of an open descriptor; None if it is not available."""
    statx = _statx()
    buffer = bytearray(_STATX_SIZE)
    if statx is None or statx(fd, buffer):
        return None
    mode, inode, size, major, minor = _STATX.unpack_from(buffer)
    return CachedStatus(os.makedev(major, minor), inode, mode, size)


@cache
def _statx() -> Any:
    """A function that calls statx into a bytearray, or None. Only needed for files on disk, so imported only then."""
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).statx
    except (OSError, AttributeError):
        return None

    def call(fd: int, buffer: bytearray) -> int:
        room = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        flags = _AT_EMPTY_PATH | _AT_STATX_DONT_SYNC
        return int(function(fd, b"", flags, _STATX_TYPE_INO_SIZE, room))

    return call
