"""Requests of a virtio file system. Source: Linux include/uapi/linux/fuse.h."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

START = Struct("<IIQQ")
"""How a request begins: its length, opcode, unique id and node."""
IN_HEADER = Struct(f"{START.format}IIII")
OUT_HEADER = Struct("<IiQ")
ROOT = 1
ANSWER_SIZE = OUT_HEADER.size + 128

CREATE_IN = Struct("<IIII")
"""Flags of open, mode, umask, flags of FUSE; the name follows."""
ENTRY_SIZE = 128
"""The description of a file that was found or created: it begins with the node, and the open file follows."""
SETUP_MAPPING = Struct("<QQQQQ")
"""Open file, offset in it, length, flags, offset in the shared memory."""
REMOVE_MAPPING = Struct("<IQQ")
"""How many mappings, which follow: offset and length."""
_INIT_IN = Struct("<IIII")
_VERSION = (7, 31)
_UNIQUE = 1


class Opcode(IntEnum):
    """What a request asks for."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    READLINK = 5
    SYMLINK = 6
    MKNOD = 8
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    LINK = 13
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    SETXATTR = 21
    GETXATTR = 22
    LISTXATTR = 23
    REMOVEXATTR = 24
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    FSYNCDIR = 30
    GETLK = 31
    SETLK = 32
    SETLKW = 33
    ACCESS = 34
    CREATE = 35
    INTERRUPT = 36
    BMAP = 37
    DESTROY = 38
    IOCTL = 39
    POLL = 40
    NOTIFY_REPLY = 41
    BATCH_FORGET = 42
    FALLOCATE = 43
    READDIRPLUS = 44
    RENAME2 = 45
    LSEEK = 46
    COPY_FILE_RANGE = 47
    SETUPMAPPING = 48
    REMOVEMAPPING = 49
    SYNCFS = 50
    TMPFILE = 51
    STATX = 52


class Answer(NamedTuple):
    """The answer to a request: a negative errno or 0, and what follows the header."""

    length: int
    error: int
    unique: int
    body: bytes


def request(opcode: int, body: bytes = b"", *, node: int = ROOT, unique: int = _UNIQUE) -> bytes:
    """A request, as a kernel sends it."""
    return IN_HEADER.pack(IN_HEADER.size + len(body), opcode, unique, node, 0, 0, 0, 0) + body


def init_request() -> bytes:
    """FUSE_INIT, with which a session begins."""
    return request(Opcode.INIT, _INIT_IN.pack(*_VERSION, 0x20000, 0), node=0)


def read_answer(data: bytes) -> Answer:
    """What is in the buffer for an answer."""
    length, error, unique = OUT_HEADER.unpack_from(data)
    return Answer(length, error, unique, data[OUT_HEADER.size : max(length, OUT_HEADER.size)])


def problem_of(data: bytes, error: int = 0) -> str:
    """What is wrong with an answer that is expected to have this error, "" if nothing."""
    answer = read_answer(data)
    if answer.unique != _UNIQUE:
        return f"the answer is to request {answer.unique}, not to {_UNIQUE}"
    if answer.error != error:
        return f"the answer has error {answer.error}, not {error}"
    return "" if error or answer.body else f"an answer of {answer.length} bytes"
