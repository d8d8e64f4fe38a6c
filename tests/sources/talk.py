"""System calls of a front-end as strace prints them, to write logs like conversations."""

import struct

from vudissect.sources.imports import Imported, import_logs

FRONT = "8<UNIX-STREAM:[100->101]>"
BACK = "9<UNIX-STREAM:[101->100]>"
EVENTFD = "<anon_inode:[eventfd]>"


def header(number: int, flags: int = 1, size: int = 0) -> bytes:
    return struct.pack("<III", number, flags, size)


def quoted(data: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def sendmsg(fd: str, data: bytes, passed: str = "", shown: str = "") -> str:
    return _call("sendmsg", fd, data, passed, shown, "0")


def recvmsg(fd: str, data: bytes, passed: str = "", shown: str = "") -> str:
    return _call("recvmsg", fd, data, passed, shown, "MSG_CMSG_CLOEXEC")


def _call(name: str, fd: str, data: bytes, passed: str, shown: str, flags: str) -> str:
    control = f"msg_control=[{{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[{passed}]}}], "
    vector = f"{{iov_base={shown or quoted(data)}, iov_len={len(data)}}}"
    parts = f"msg_name=NULL, msg_namelen=0, msg_iov=[{vector}], msg_iovlen=1, {control if passed else ''}msg_flags=0"
    return f"{name}({fd}, {{{parts}}}, {flags}) = {len(data)}"


def imported(*logs: list[str]) -> Imported:
    return import_logs([(f"log {number}", lines) for number, lines in enumerate(logs)])


def timed(lines: list[str], start: float = 1_700_000_000.0) -> list[str]:
    """The same lines with times, a millisecond apart."""
    return [f"{start + place / 1000:.6f} {line}" for place, line in enumerate(lines)]
