"""A situation: a front-end and a back-end that can be started alone, and what they do together."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from tests.peers.proxy import Between, recorded
from tests.peers.releases import Release

MIB = 1 << 20

# Every program runs in the folder of its situation: an absolute path could be too long for a socket, and would differ
# in every capture.
FRONT, BACK = "front.sock", "back.sock"

FrontEnd = TypeVar("FrontEnd")
BackEnd = TypeVar("BackEnd")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Situation(ABC, Generic[FrontEnd, BackEnd, Result]):
    """One front-end, one back-end, one session. The folder is empty at first and gets all files."""

    front: Release = field(default=Release.BOOKWORM, kw_only=True)
    """The release of the front-end."""
    back: Release = field(default=Release.BOOKWORM, kw_only=True)
    """The release of the back-end."""

    front_end_listens: ClassVar[bool] = False
    """Whether the front-end listens and the back-end connects."""

    @abstractmethod
    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[BackEnd]:
        """The back-end alone; `socket` is relative to the folder.

        It listens when the block begins, unless the front-end does.
        """

    @abstractmethod
    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[FrontEnd]:
        """The front-end alone; it connects to `socket`, or listens there if `front_end_listens`."""

    @abstractmethod
    def act(self, folder: Path, front_end: FrontEnd, back_end: BackEnd) -> Result:
        """Do something with the two while they are connected, until they exit; returns what is visible from outside."""

    def record(self, folder: Path, capture: Path, options: Sequence[str] = ()) -> Result:
        """Run everything in the empty folder of the capture, with `vuproxy` and more of its `options` between."""
        # Once: a back-end that connects does so again when the front-end has closed the connection.
        return self.run(folder, partial(recorded, capture, once=self.front_end_listens, options=options))

    def run(self, folder: Path, between: Between) -> Result:
        """Run everything in an empty folder, with the relay that `between` runs."""
        if self.front_end_listens:
            with (
                self.front_end(folder, FRONT) as front_end,
                between(front_end=f"connect:{FRONT}", back_end=f"listen:{BACK}"),
                self.back_end(folder, BACK) as back_end,
            ):
                return self.act(folder, front_end, back_end)
        with (
            self.back_end(folder, BACK) as back_end,
            between(front_end=f"listen:{FRONT}", back_end=f"connect:{BACK}"),
            self.front_end(folder, FRONT) as front_end,
        ):
            return self.act(folder, front_end, back_end)
