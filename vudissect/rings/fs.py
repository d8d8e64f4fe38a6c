"""Requests of a virtio file system. Source: Linux include/uapi/linux/fuse.h."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

IN_HEADER = Struct("<IIQQIIII")
OUT_HEADER = Struct("<IiQ")
ROOT = 1
ANSWER_SIZE = OUT_HEADER.size + 128

_INIT_IN = Struct("<IIII")
_VERSION = (7, 31)
_UNIQUE = 1


class Opcode(IntEnum):
    """What a request asks for."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    STATFS = 17
    INIT = 26


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
