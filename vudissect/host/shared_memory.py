"""Reading memory that another process shares, and the counters of its event descriptors, without disturbing it.

`pread` on the descriptor that was passed needs no mapping, so a file that shrinks costs no SIGBUS. Only files that are
in memory or on a local disk are read: a file server might never answer.
"""

import os
import stat
from fcntl import F_GETFL, fcntl

from vudissect.host.cached_status import cached_status
from vudissect.host.fdinfo import fdinfo

# Linux's fcntl.h: only shared memory and hugetlbfs have seals.
_F_GET_SEALS = 1034
_LOCAL = frozenset({"tmpfs", "ramfs", "hugetlbfs", "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "overlay"})
_MOUNT_ID = b"\nmnt_id:"
_COUNTER = b"eventfd-count:"


def why_unreadable(fd: int) -> str:
    """Why the memory in a file cannot be read without waiting for anybody, "" if it can."""
    try:
        if fcntl(fd, F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
            return "its descriptor is only for writing"
        fcntl(fd, _F_GET_SEALS)
    except OSError:
        return _why_not_on_disk(fd)
    return ""


def _why_not_on_disk(fd: int) -> str:
    status = cached_status(fd)
    if status is None or not stat.S_ISREG(status.mode):
        return "it is not a file"
    kind = _file_system(fd)
    return "" if kind in _LOCAL else f"it is on a file system ({kind or 'unknown'}) that may not answer"


def _file_system(fd: int) -> str:
    """The type of the file system of an open file, "" if it is unknown."""
    _, _, after = fdinfo(fd).partition(_MOUNT_ID)
    if not after:
        return ""
    wanted = after.split(None, 1)[0]
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:
            left, _, right = line.partition(b" - ")
            if left.split(None, 1)[0] == wanted:
                return right.split(None, 1)[0].decode(errors="replace")
    return ""


def event_counter(fd: int) -> int | None:
    """How often an event descriptor was written since it was last read; None if the descriptor is not one."""
    _, _, after = fdinfo(fd).partition(_COUNTER)
    return int(after.split(None, 1)[0], 16) if after else None
