"""A situation: a front-end and a back-end that can be started alone, and what is done with both."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from tests.peers.proxy import Between, recorded
from tests.peers.releases import Release

MIB = 1 << 20

# Every program runs in the folder of its situation: a path from the root could be too long for a socket, and would
# make every capture name another folder.
FRONT, BACK = "front.sock", "back.sock"

FrontEnd = TypeVar("FrontEnd")
BackEnd = TypeVar("BackEnd")
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Situation(ABC, Generic[FrontEnd, BackEnd, Seen]):
    """One front-end, one back-end, one conversation. The folder is empty at first, and holds all that is made."""

    front: Release = field(default=Release.BOOKWORM, kw_only=True)
    """The release that the front-end is from."""
    back: Release = field(default=Release.BOOKWORM, kw_only=True)
    """The release that the back-end is from."""

    front_end_listens: ClassVar[bool] = False
    """Whether the front-end is the one that listens, and the back-end calls."""

    @abstractmethod
    def back_end(self, folder: Path, socket: str) -> AbstractContextManager[BackEnd]:
        """The back-end alone; `socket` is relative to the folder.

        It listens when the block begins, unless the front-end is the one to listen.
        """

    @abstractmethod
    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[FrontEnd]:
        """The front-end alone; it calls `socket`, or listens there if it is the one to listen."""

    @abstractmethod
    def act(self, folder: Path, front_end: FrontEnd, back_end: BackEnd) -> Seen:
        """What is done with the two while they are connected, to their end; what could be seen from outside."""

    def record(self, folder: Path, capture: Path) -> Seen:
        """Run all of it in an empty folder, which the capture is in, with `vuproxy` between the two."""
        # Once: a back-end that calls does so again as soon as the front-end has gone.
        return self.run(folder, partial(recorded, capture, once=self.front_end_listens))

    def run(self, folder: Path, between: Between) -> Seen:
        """Run all of it in an empty folder, with what `between` runs standing between the two."""
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
