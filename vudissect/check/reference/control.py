"""What the suite can make the device do: hold requests, let them go, grow. The words come as datagrams."""

import os
import select
import socket
from contextlib import suppress

from vudissect.check.reference.intake import HangUpError

HOLD, LET_GO, LET_LAST_GO, GROW = "hold", "let go", "let the last go", "grow"
_LONGEST = 64


class Control:
    """The socket for them; without a path nobody can say anything."""

    def __init__(self, path: str = "") -> None:
        self.holds = False
        """Whether requests are taken, and not done."""
        self._last = self._grows = False
        self._front_end: socket.socket | None = None
        self._socket: socket.socket | None = None
        if path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            with suppress(FileNotFoundError):
                os.unlink(path)
            self._socket.bind(path)

    @property
    def fd(self) -> int:
        """To be waited for; -1 if there is nothing to wait for."""
        return self._socket.fileno() if self._socket is not None else -1

    def begin(self, front_end: socket.socket) -> None:
        """A session begins: nothing is held."""
        self.read()
        self.holds = self._last = self._grows = False
        self._front_end = front_end

    def read(self) -> None:
        """Hear all that was said."""
        if self._socket is None:
            return
        with suppress(BlockingIOError):
            while True:
                word = self._socket.recv(_LONGEST).decode()
                if word == GROW:
                    self._grows = True
                elif word == LET_LAST_GO:
                    self._last = True
                else:
                    self.holds = word == HOLD

    def wait(self) -> None:
        """Wait until requests are let go; `HangUpError` if the front-end is gone before that."""
        self.read()
        while self.holds:
            assert self._front_end is not None  # nothing is held before a session
            poll = select.poll()
            poll.register(self._front_end, 0)
            poll.register(self.fd, select.POLLIN)
            if self._front_end.fileno() in dict(poll.poll()):
                raise HangUpError
            self.read()

    def lets_last_go(self) -> bool:
        """Whether the last request that is held may be done, since this was last asked."""
        last, self._last = self._last, False
        return last

    def grows(self) -> bool:
        """Whether the device was made to grow since this was last asked."""
        grows, self._grows = self._grows, False
        return grows
