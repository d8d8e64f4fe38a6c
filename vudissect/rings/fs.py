"""The first request of a virtio file system: FUSE_INIT. Source: Linux include/uapi/linux/fuse.h."""

from struct import Struct

_IN_HEADER = Struct("<IIQQIIII")
_OUT_HEADER = Struct("<IiQ")
_INIT_IN = Struct("<IIII")
_INIT = 26
_VERSION = (7, 31)
_UNIQUE = 1

ANSWER_SIZE = _OUT_HEADER.size + 64


def init_request() -> bytes:
    """FUSE_INIT, as a kernel sends it at mount."""
    body = _INIT_IN.pack(*_VERSION, 0x20000, 0)
    return _IN_HEADER.pack(_IN_HEADER.size + len(body), _INIT, _UNIQUE, 0, 0, 0, 0, 0) + body


def problem_of(answer: bytes) -> str:
    """What is wrong with an answer to it, "" if nothing."""
    length, error, unique = _OUT_HEADER.unpack_from(answer)
    if unique != _UNIQUE:
        return f"the answer is to request {unique}, not to {_UNIQUE}"
    if error:
        return f"FUSE_INIT failed with {error}"
    return "" if length > _OUT_HEADER.size else f"an answer of {length} bytes"
