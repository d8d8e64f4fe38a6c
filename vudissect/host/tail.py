"""Reads what is appended to a file by somebody else."""

import ctypes
import os
from typing import Final

_READ_SIZE: Final = 1 << 16
# From linux/falloc.h.
_PUNCH_HOLE: Final = 2 | 1


class Tail:
    """What comes from now on; a file that is not there yet is read from its beginning, as is one that became shorter.

    `frees`: what was read takes no room on the disk any more.
    """

    def __init__(self, path: str, *, frees: bool = False) -> None:
        self._path = path
        self._frees = frees
        try:
            self._read = os.stat(path).st_size
        except OSError:
            self._read = 0

    def read(self) -> bytes:
        """What has come since, and nothing if there is no such file."""
        try:
            fd = os.open(self._path, (os.O_RDWR if self._frees else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return b""
        try:
            if os.fstat(fd).st_size < self._read:
                self._read = 0
            parts = []
            while part := os.pread(fd, _READ_SIZE, self._read):
                parts.append(part)
                self._read += len(part)
            if parts and self._frees:
                ctypes.CDLL(None).fallocate(fd, _PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(self._read))
            return b"".join(parts)
        except OSError:
            return b""
        finally:
            os.close(fd)
