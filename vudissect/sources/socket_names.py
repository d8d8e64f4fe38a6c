"""What strace calls a socket: `UNIX-STREAM:[7->8,"/path"]`, `UNIX:[7]` in older releases, `socket:[7]` with `-y`."""

import re
from typing import Final

_UNIX: Final = re.compile(r"UNIX(?:-\w+)?:\[(\d+)(?:->(\d+))?")
_PLAIN: Final = re.compile(r"socket:\[(\d+)\]")


def inodes(about: str) -> tuple[int, int]:
    """The inodes of a Unix socket and of the socket at the other end; 0 for what is unknown."""
    match = _UNIX.match(about)
    if match:
        return int(match[1]), int(match[2] or 0)
    plain = _PLAIN.match(about)
    return (int(plain[1]), 0) if plain else (0, 0)


def may_be_unix(about: str) -> bool:
    """Whether a descriptor may be a Unix stream socket: one without a description may be anything."""
    return not about or about.startswith(("UNIX-STREAM:", "UNIX:", "socket:"))
