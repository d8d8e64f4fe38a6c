"""What an open descriptor is, asked of the kernel with as few system calls as its kind needs.

Identity: anonymous inodes share one inode number, so that an eventfd is told apart by the id that /proc shows;
everything else by device and inode.
"""

import os
import stat
from fcntl import F_GETFL, fcntl
from socket import AF_UNIX, SocketKind, socket

from vudissect.host.descriptor import Descriptor, DescriptorKind

# Linux's fcntl.h; the fcntl module does not have it in every build.
_F_GET_SEALS = 1034

_EVENTFD_ID = b"\neventfd-id:"
_ANONYMOUS_KINDS = {
    "anon_inode:[eventfd]": DescriptorKind.EVENTFD,
    "anon_inode:[userfaultfd]": DescriptorKind.USERFAULTFD,
    "anon_inode:[pidfd]": DescriptorKind.PIDFD,
}


def inspect(fd: int) -> Descriptor:
    """Describe the descriptor `fd` of this process; one that is closed or cannot be examined is of kind UNKNOWN."""
    try:
        status = os.fstat(fd)
        flags = fcntl(fd, F_GETFL)
    except OSError:
        return Descriptor(DescriptorKind.UNKNOWN)
    file_type = stat.S_IFMT(status.st_mode)
    identity = f"{status.st_dev}:{status.st_ino}"
    if not file_type:
        return _anonymous(fd, identity, status.st_size, flags)
    name = _link(fd)
    if file_type == stat.S_IFREG:
        return _regular(fd, identity, status.st_size, flags, name)
    if file_type == stat.S_IFSOCK:
        return Descriptor(DescriptorKind.SOCKET, identity, flags=flags, name=f"{name} {_socket_type(fd)}".rstrip())
    kind = _KINDS.get(file_type, DescriptorKind.UNKNOWN)
    return Descriptor(kind, identity, flags=flags, name=name)


_KINDS = {
    stat.S_IFIFO: DescriptorKind.PIPE,
    stat.S_IFCHR: DescriptorKind.DEVICE,
    stat.S_IFBLK: DescriptorKind.DEVICE,
    stat.S_IFDIR: DescriptorKind.DIRECTORY,
}


def _regular(fd: int, identity: str, size: int, flags: int, name: str) -> Descriptor:
    kind = DescriptorKind.MEMFD if name.startswith("/memfd:") else DescriptorKind.FILE
    try:
        seals = fcntl(fd, _F_GET_SEALS)
    except OSError:
        # On disk: the block size of a file system says nothing about the pages of a mapping.
        return Descriptor(kind, identity, size, 0, -1, flags, name)
    # Only shared memory and hugetlbfs have seals, and there the block size is the page size.
    return Descriptor(kind, identity, size, os.fstatvfs(fd).f_bsize, seals, flags, name)


def _anonymous(fd: int, inode: str, size: int, flags: int) -> Descriptor:
    """A descriptor without a file type; eventfds, the most frequent, cost one look into /proc."""
    _, _, after = _fdinfo(fd).partition(_EVENTFD_ID)
    if after:
        identity = f"eventfd:{int(after.split(None, 1)[0])}"
        return Descriptor(DescriptorKind.EVENTFD, identity, flags=flags, name="anon_inode:[eventfd]")
    name = _link(fd)
    if name.startswith("/dmabuf:"):
        # Each has an inode of its own, in a file system of their own.
        return Descriptor(DescriptorKind.DMABUF, inode, size, flags=flags, name=name)
    return Descriptor(_ANONYMOUS_KINDS.get(name, DescriptorKind.ANON), flags=flags, name=name)


def _link(fd: int) -> str:
    """The kernel's name of an open file, "" without /proc; bytes that are no UTF-8 are escaped."""
    try:
        return os.readlink(b"/proc/self/fd/%d" % fd).decode(errors="backslashreplace")
    except OSError:
        return ""


def _fdinfo(fd: int) -> bytes:
    try:
        info = os.open(b"/proc/self/fdinfo/%d" % fd, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(info, 4096)
    finally:
        os.close(info)


def _socket_type(fd: int) -> str:
    """`stream`, `dgram`, `seqpacket`, …, whatever the address family."""
    # Naming family and protocol keeps the constructor from asking for them.
    borrowed = socket(AF_UNIX, -1, 0, fileno=fd)
    try:
        return SocketKind(borrowed.type).name.removeprefix("SOCK_").lower()
    except ValueError:
        return ""
    finally:
        borrowed.detach()
