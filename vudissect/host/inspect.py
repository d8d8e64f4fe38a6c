"""What an open descriptor is, asked from the kernel with as few system calls as its kind needs.

A descriptor may be anything that a peer can open, and a running machine waits for the answer: nothing here
raises, and nothing blocks. A path may be on a file system whose server is gone, where fstat never returns;
there only the kernel's cache is used.

Identity: anonymous inodes share one inode number, so an eventfd is identified by the id that /proc shows;
everything else by device and inode.
"""

import os
import stat
from fcntl import F_GETFL, fcntl
from socket import AF_UNIX, SocketKind, socket
from typing import NamedTuple

from vudissect.host.cached_status import cached_status
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.host.fdinfo import fdinfo

# Linux's fcntl.h; the fcntl module does not have it in every build.
_F_GET_SEALS = 1034

_EVENTFD_ID = b"\neventfd-id:"
_EVENTFD = "anon_inode:[eventfd]"
_ANONYMOUS_KINDS = {
    _EVENTFD: DescriptorKind.EVENTFD,
    "anon_inode:[userfaultfd]": DescriptorKind.USERFAULTFD,
    "anon_inode:[pidfd]": DescriptorKind.PIDFD,
}
# No file system serves these; the name of a file begins with "/", or with "(".
_KERNEL_OBJECTS = ("socket:[", "pipe:[", "anon_inode:")

_KINDS = {
    stat.S_IFREG: DescriptorKind.FILE,
    stat.S_IFIFO: DescriptorKind.PIPE,
    stat.S_IFCHR: DescriptorKind.DEVICE,
    stat.S_IFBLK: DescriptorKind.DEVICE,
    stat.S_IFDIR: DescriptorKind.DIRECTORY,
}


class Inspected(NamedTuple):
    """What a descriptor is, and whether closing it may wait for somebody (a file server, a device, a network peer)."""

    descriptor: Descriptor
    slow_to_close: bool


def inspect(fd: int) -> Descriptor:
    """Describe the descriptor `fd` of this process; one that is closed or cannot be examined is of kind UNKNOWN."""
    return examine(fd).descriptor


def examine(fd: int) -> Inspected:
    """Describe the descriptor `fd` of this process, as `inspect` does, and whether closing it may be slow."""
    try:
        return _examine(fd)
    except (OSError, ValueError):
        return Inspected(Descriptor(DescriptorKind.UNKNOWN), True)


def _examine(fd: int) -> Inspected:
    flags = fcntl(fd, F_GETFL)
    _, _, after = fdinfo(fd).partition(_EVENTFD_ID)
    if after:
        identity = f"eventfd:{int(after.split(None, 1)[0])}"
        return Inspected(Descriptor(DescriptorKind.EVENTFD, identity, flags=flags, name=_EVENTFD), False)
    name = _link(fd)
    if name.startswith(_KERNEL_OBJECTS):
        return _kernel_object(fd, flags, name)
    try:
        seals = fcntl(fd, _F_GET_SEALS)
    except OSError:
        return Inspected(_file(fd, flags, name), True)
    # Only shared memory and hugetlbfs have seals. They are in memory, and their block size is the page size.
    status, page_size = os.fstat(fd), os.fstatvfs(fd).f_bsize
    kind = DescriptorKind.MEMFD if name.startswith("/memfd:") else DescriptorKind.FILE
    identity = f"{status.st_dev}:{status.st_ino}"
    return Inspected(Descriptor(kind, identity, status.st_size, page_size, seals, flags, name), False)


def _kernel_object(fd: int, flags: int, name: str) -> Inspected:
    status = os.fstat(fd)
    identity = f"{status.st_dev}:{status.st_ino}"
    if stat.S_ISSOCK(status.st_mode):
        family, kind = _socket_type(fd)
        # Others may linger until their network peer has received everything.
        return Inspected(
            Descriptor(DescriptorKind.SOCKET, identity, flags=flags, name=f"{name} {kind}".rstrip()), family != AF_UNIX
        )
    if stat.S_ISFIFO(status.st_mode):
        return Inspected(Descriptor(DescriptorKind.PIPE, identity, flags=flags, name=name), False)
    return Inspected(Descriptor(_ANONYMOUS_KINDS.get(name, DescriptorKind.ANON), flags=flags, name=name), False)


def _file(fd: int, flags: int, name: str) -> Descriptor:
    """Something with a path, or a dma-buf. The block size of a file system does not show the page size of a mapping."""
    status = cached_status(fd)
    if status is None:
        return Descriptor(DescriptorKind.UNKNOWN, flags=flags, name=name)
    identity = f"{status.device}:{status.inode}"
    file_type = stat.S_IFMT(status.mode)
    if not file_type:
        if name.startswith("/dmabuf:"):
            # Each has its own inode, in a separate file system.
            return Descriptor(DescriptorKind.DMABUF, identity, status.size, flags=flags, name=name)
        return Descriptor(DescriptorKind.ANON, flags=flags, name=name)
    size = status.size if file_type == stat.S_IFREG else 0
    return Descriptor(_KINDS.get(file_type, DescriptorKind.UNKNOWN), identity, size, flags=flags, name=name)


def _link(fd: int) -> str:
    """The kernel's name of an open file, "" without /proc; bytes that are not UTF-8 are escaped."""
    try:
        return os.readlink(b"/proc/self/fd/%d" % fd).decode(errors="backslashreplace")
    except OSError:
        return ""


def _socket_type(fd: int) -> tuple[int, str]:
    """Address family, and `stream`, `dgram`, `seqpacket`, …."""
    borrowed = socket(fileno=fd)
    try:
        return borrowed.family, SocketKind(borrowed.type).name.removeprefix("SOCK_").lower()
    except ValueError:
        return borrowed.family, ""
    finally:
        borrowed.detach()
