"""Descriptors of the same kind as recorded ones: memory, eventfds, pipes, sockets, userfaultfd.

What cannot be created here is replaced by something that can be passed instead, with a remark.
"""

import ctypes
import errno
import os
import platform
import socket
import tempfile
from collections.abc import Callable
from fcntl import fcntl, ioctl
from mmap import PAGESIZE
from pathlib import Path
from typing import NamedTuple

from vudissect.host.descriptor import Descriptor, DescriptorKind

# Linux's fcntl.h and memfd.h; Python does not have them in every build.
_F_ADD_SEALS = 1033
_F_SEAL_SEAL = 1
_ALL_SEALS = 0x3F
_MFD_HUGE_SHIFT = 26
_LONGEST_NAME = 249

# Linux's userfaultfd.h, and the number of the system call on machines that do not use the generic table.
_UFFDIO_API = 0xC018AA3F
_UFFD_API = 0xAA
_SYS_USERFAULTFD = {"x86_64": 323, "s390x": 355, "ppc64le": 364}.get(platform.machine(), 282)


class Made(NamedTuple):
    """A new descriptor. The caller owns both numbers.

    `other` is the local end of a pipe or socket pair. `remark` is how it differs from the description, if it does.
    """

    fd: int
    other: int | None = None
    remark: str = ""

    def close(self) -> None:
        """Close both."""
        os.close(self.fd)
        if self.other is not None:
            os.close(self.other)


def make(described: Descriptor) -> Made:
    """Create a descriptor that fits the description; raises `OSError` if the kernel has no room for it.

    Memory is sparse: whatever its size, it takes no space until somebody writes to it.
    """
    if not 0 <= described.size < 1 << 63:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    made = _MAKERS.get(described.kind, _stand_in)(described)
    try:
        os.set_blocking(made.fd, not described.flags & os.O_NONBLOCK)
    except OSError:
        made.close()
        raise
    return made


def _memfd(described: Descriptor) -> Made:
    name = described.name.removeprefix("/memfd:").removesuffix(" (deleted)").replace("\0", "")
    # Without the flag that allows seals, the only seal forbids any others.
    sealable = described.seals != _F_SEAL_SEAL
    flags = os.MFD_CLOEXEC | (os.MFD_ALLOW_SEALING if sealable else 0)
    remark = ""
    if described.page_size > PAGESIZE:
        if 0 < described.size <= _huge_pages_free(described.page_size) * described.page_size:
            flags |= os.MFD_HUGETLB | (described.page_size.bit_length() - 1) << _MFD_HUGE_SHIFT
        else:
            remark = f"memory with pages of {described.page_size} bytes has ordinary pages: not enough are free"
    name = name.encode(errors="backslashreplace")[:_LONGEST_NAME].decode(errors="ignore")
    fd = os.memfd_create(name or "memory", flags)
    try:
        os.truncate(fd, described.size)
        if sealable and described.seals > 0:
            fcntl(fd, _F_ADD_SEALS, described.seals & _ALL_SEALS)
    except BaseException:
        os.close(fd)
        raise
    return Made(fd, remark=remark)


def _huge_pages_free(size: int) -> int:
    try:
        return int(Path(f"/sys/kernel/mm/hugepages/hugepages-{size >> 10}kB/free_hugepages").read_text())
    except (OSError, ValueError):
        return 0


def _file(described: Descriptor) -> Made:
    # Files with seals were in shared memory; the others were on a disk or a device.
    folder = "/dev/shm" if described.seals >= 0 and Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryFile(dir=folder) as file:
        os.truncate(file.fileno(), described.size)
        return Made(os.dup(file.fileno()))


def _eventfd(_: Descriptor) -> Made:
    return Made(os.eventfd(0, os.EFD_CLOEXEC))


def _pipe(described: Descriptor) -> Made:
    reads, writes = os.pipe2(os.O_CLOEXEC)
    given, kept = (reads, writes) if described.flags & os.O_ACCMODE == os.O_RDONLY else (writes, reads)
    return Made(given, kept)


def _socket(described: Descriptor) -> Made:
    _, _, word = described.name.rpartition(" ")
    kind = {"dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}.get(word, socket.SOCK_STREAM)
    given, kept = socket.socketpair(socket.AF_UNIX, kind)
    return Made(given.detach(), kept.detach())


def _userfaultfd(described: Descriptor) -> Made:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(_SYS_USERFAULTFD, os.O_CLOEXEC)
    if fd < 0:
        stand_in = _stand_in(described)
        return stand_in._replace(remark=f"{stand_in.remark}: {os.strerror(ctypes.get_errno())}")
    # A receiver expects a descriptor for which the version of the interface is already negotiated.
    try:
        ioctl(fd, _UFFDIO_API, bytearray(_UFFD_API.to_bytes(8, "little") + bytes(16)))
    except OSError:
        os.close(fd)
        raise
    return Made(fd)


def _pidfd(_: Descriptor) -> Made:
    return Made(os.pidfd_open(os.getpid()))


def _directory(_: Descriptor) -> Made:
    return Made(os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def _stand_in(described: Descriptor) -> Made:
    """A harmless replacement: memory of the same size for something mapped, otherwise an eventfd."""
    if described.size:
        made = _memfd(Descriptor(DescriptorKind.MEMFD, size=described.size, name="stand-in", seals=0))
        return made._replace(remark=f"a {described.kind.label} is replaced by memory")
    return _eventfd(described)._replace(remark=f"a {described.kind.label} is replaced by an eventfd")


_MAKERS: dict[DescriptorKind, Callable[[Descriptor], Made]] = {
    DescriptorKind.MEMFD: _memfd,
    DescriptorKind.FILE: _file,
    DescriptorKind.EVENTFD: _eventfd,
    DescriptorKind.SOCKET: _socket,
    DescriptorKind.PIPE: _pipe,
    DescriptorKind.USERFAULTFD: _userfaultfd,
    DescriptorKind.PIDFD: _pidfd,
    DescriptorKind.DIRECTORY: _directory,
}
