"""What a service reports to systemd: that it is ready, and how important a line of its log is.

See sd_notify(3), sd-daemon(3) and systemd.exec(5); all of it is left out where systemd does not ask for it.
"""

import os
import socket
from contextlib import suppress
from typing import Final

INFO: Final = 6
WARNING: Final = 4


class Service:
    """This process as a service. It takes the address out of the environment, so that no child reports for it."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")

    def ready(self, status: str) -> None:
        """It does its work from now on; `status` is shown by `systemctl status`."""
        self._send(f"READY=1\nSTATUS={status}\n")

    def stopping(self) -> None:
        """It ends."""
        self._send("STOPPING=1\n")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # Nothing depends on it but the service manager, which has a timeout.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.send(text.encode())


def is_journal(fd: int) -> bool:
    """Whether a descriptor is the connection to the journal that systemd has made for this process."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
