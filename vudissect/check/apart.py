"""Two programs that are started here, and meet each other: nobody here talks to either."""

import socket
import time

from vudissect.check.ending import kill_group
from vudissect.check.program import Started
from vudissect.host.address import Address, Role

_RETRY = 0.005


class Served(Started):
    """A program that listens at `{socket}`, and is never connected to from here."""

    @property
    def address(self) -> Address:
        """Where whoever is in between meets it."""
        return Address(Role.CONNECT, str(self._socket))

    def kill(self) -> None:
        """End it and its group at once, so that its sockets are closed; `stop` still has to be called."""
        if self._process is not None:
            kill_group(self._process)

    def _meet(self, deadline: float) -> None:
        while not self._socket.is_socket():
            if self._is_gone() or time.monotonic() >= deadline:
                raise TimeoutError
            time.sleep(_RETRY)


class Calling(Served):
    """A program that connects to `{socket}`, where somebody has to listen when it starts."""

    @property
    def address(self) -> Address:
        """Where whoever is in between listens for it."""
        return Address(Role.LISTEN, str(self._folder / "relay"))

    def _filled_in(self) -> tuple[list[str], tuple[int, ...]]:
        return [word.replace("{socket}", self.address.name) for word in self._command], ()

    def _meet(self, deadline: float) -> None:
        """It comes by itself, if it comes."""


class Connected(Calling):
    """A program that gets a connected socket, `{fd}`, each time that it is started."""

    def _spawn(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as self._theirs:
            self._theirs.connect(self.address.name)
            super()._spawn()

    def _filled_in(self) -> tuple[list[str], tuple[int, ...]]:
        fd = self._theirs.fileno()
        return [word.replace("{fd}", str(fd)) for word in self._command], (fd,)
