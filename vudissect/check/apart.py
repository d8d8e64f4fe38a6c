"""Two programs that are started here, and meet each other: nobody here connects to either."""

import time

from vudissect.check.ending import kill_group
from vudissect.check.program import Started

_RETRY = 0.005


class Served(Started):
    """A back-end that listens at `path`, and is never connected to from here."""

    @property
    def path(self) -> str:
        """Where it listens."""
        return str(self._socket)

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
    """A front-end that connects to `where`."""

    where = ""

    def _filled_in(self) -> tuple[list[str], tuple[int, ...]]:
        return [word.replace("{socket}", self.where) for word in self._command], ()

    def _meet(self, deadline: float) -> None:
        """It comes by itself, if it comes."""
