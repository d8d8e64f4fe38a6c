"""Runs `vudissect` as on a system that is not Linux: `python tests/cli/laptop.py COMMAND ...`.

What only Linux has, or Linux and macOS, is not there; nor is what has to be installed with an extra.
"""

import os
import runpy
import select
import socket
import sys

MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty", "scapy", "pyshark")
NAMES = {
    os: (
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "eventfd", "eventfd_read", "eventfd_write",
        "fchmod", "fork", "getgid", "getuid", "killpg", "memfd_create", "mkfifo", "pidfd_open", "pipe2", "posix_spawn",
        "pread", "sched_getaffinity", "sched_setaffinity", "sendfile", "setpriority", "setsid", "uname",
    ),
    select: ("EPOLLIN", "epoll", "poll"),
    socket: (
        "AF_UNIX", "CMSG_SPACE", "MSG_CTRUNC", "MSG_DONTWAIT", "SCM_RIGHTS", "SO_PEERCRED", "recv_fds", "send_fds",
    ),
}  # fmt: skip

if __name__ == "__main__":
    sys.platform = "darwin"
    for module in MODULES:
        sys.modules[module] = None  # type: ignore[assignment]
    for owner, names in NAMES.items():
        for name in names:
            if hasattr(owner, name):
                delattr(owner, name)
    # Not this folder, but where the package is.
    sys.path[0] = os.getcwd()
    module = "vudissect.cli.vuproxy" if sys.argv[1] == "vuproxy" else "vudissect"
    sys.argv[1:] = sys.argv[2:] if sys.argv[1] == "vuproxy" else sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
