"""What the kernel shows about an open descriptor of this process."""

import os


def fdinfo(fd: int) -> bytes:
    """The lines of /proc/self/fdinfo; nothing without /proc, or if the descriptor is closed."""
    try:
        info = os.open(b"/proc/self/fdinfo/%d" % fd, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(info, 4096)
    finally:
        os.close(info)
