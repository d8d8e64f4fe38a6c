"""What a request asks of a device, in a few words, from its first bytes: never the data in it.

Source: virtio specification, Device Types; Linux include/uapi/linux/fuse.h.
"""

from collections.abc import Callable
from struct import Struct

from vudissect.protocol.model import Device
from vudissect.rings.blk import HEADER_SIZE, SECTOR, Kind, read_header
from vudissect.rings.chain import Buffer

HEADER_BYTES = 64
"""How many bytes of a request are enough to describe it."""

_FUSE = Struct("<IIQQ")
_FUSE_NAMES = {
    1: "LOOKUP", 2: "FORGET", 3: "GETATTR", 4: "SETATTR", 5: "READLINK", 6: "SYMLINK", 8: "MKNOD", 9: "MKDIR",
    10: "UNLINK", 11: "RMDIR", 12: "RENAME", 13: "LINK", 14: "OPEN", 15: "READ", 16: "WRITE", 17: "STATFS",
    18: "RELEASE", 20: "FSYNC", 21: "SETXATTR", 22: "GETXATTR", 23: "LISTXATTR", 24: "REMOVEXATTR", 25: "FLUSH",
    26: "INIT", 27: "OPENDIR", 28: "READDIR", 29: "RELEASEDIR", 30: "FSYNCDIR", 31: "GETLK", 32: "SETLK",
    33: "SETLKW", 34: "ACCESS", 35: "CREATE", 36: "INTERRUPT", 37: "BMAP", 38: "DESTROY", 39: "IOCTL", 40: "POLL",
    42: "BATCH_FORGET", 43: "FALLOCATE", 44: "READDIRPLUS", 45: "RENAME2", 46: "LSEEK", 47: "COPY_FILE_RANGE",
    48: "SETUPMAPPING", 49: "REMOVEMAPPING", 50: "SYNCFS",
}  # fmt: skip
_VERBS = {
    Kind.IN: "read",
    Kind.OUT: "write",
    Kind.FLUSH: "flush",
    Kind.GET_ID: "get the id",
    Kind.DISCARD: "discard",
    Kind.WRITE_ZEROES: "write zeroes",
}


def request_text(device: Device | None, buffers: tuple[Buffer, ...], start: bytes) -> str:
    """A request in words: `start` is what the device can read at its beginning."""
    describe = _DESCRIBE.get(device.name) if device is not None else None
    return (describe(buffers, start) if describe else "") or _lengths(buffers)


def _lengths(buffers: tuple[Buffer, ...]) -> str:
    readable = sum(buffer.length for buffer in buffers if not buffer.writable)
    writable = sum(buffer.length for buffer in buffers if buffer.writable)
    return f"{readable} bytes for the device to read, {writable} to write"


def _disk(buffers: tuple[Buffer, ...], start: bytes) -> str:
    header = read_header(start)
    if header is None:
        return ""
    verb = _VERBS.get(Kind(header.kind)) if header.kind in set(Kind) else f"request type {header.kind}"
    if header.kind not in (Kind.IN, Kind.OUT):
        return str(verb)
    # The status is one byte that the device writes.
    length = (
        sum(buffer.length for buffer in buffers if buffer.writable) - 1
        if header.kind == Kind.IN
        else sum(buffer.length for buffer in buffers if not buffer.writable) - HEADER_SIZE
    )
    return f"{verb} sector {header.sector}, {max(0, length) // SECTOR} sectors"


def _file_system(_: tuple[Buffer, ...], start: bytes) -> str:
    if len(start) < _FUSE.size:
        return ""
    _, opcode, unique, node = _FUSE.unpack_from(start)
    return f"FUSE {_FUSE_NAMES.get(opcode, opcode)} node {node} (unique {unique})"


_DESCRIBE: dict[str, Callable[[tuple[Buffer, ...], bytes], str]] = {"blk": _disk, "fs": _file_system}
