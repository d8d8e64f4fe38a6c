"""A program that somebody else starts, with a command line that has been changed for it: a recorder runs beside it."""

import os
import select
from collections.abc import Collection, Sequence

from vudissect.proxy.command import Surroundings
from vudissect.proxy.handover import Handover


class Bystander:
    """The process `pid` becomes the program as soon as `ready`, a pipe, has got a line.

    `links` are as for a `Command`.
    """

    writes_log = False
    status = None

    def __init__(
        self,
        surroundings: Surroundings,
        words: list[str],
        pid: int,
        ready: int,
        *,
        log: str = "",
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Raises `OSError` if there is no such process."""
        self.words = words
        self.log = log
        self.goes_on = False
        self._surroundings = surroundings
        self._pidfd = os.pidfd_open(pid)
        self._ready = ready
        self._links = links
        self._handover: Handover | None = None

    def start(self, ours: Collection[int], *, passes_usr1: bool) -> int:
        """Let it begin."""
        for fd in self._surroundings.others(ours):
            os.close(fd)
        if self._links:
            self._handover = Handover(self._links)
        os.write(self._ready, b"\n")
        os.close(self._ready)
        return os.dup(self._pidfd)

    def finish(self) -> None:
        """It has ended."""

    def stop(self) -> None:
        """It can go on without this process."""
        if self._handover is not None:
            has_ended = bool(select.select([self._pidfd], [], [], 0)[0])
            self.goes_on = self.goes_on or not has_ended
            self._handover.finish(is_needed=self.goes_on)
            self._handover = None
