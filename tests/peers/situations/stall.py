"""A guest's disk that does not answer for a while."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.guest import Guest
from tests.peers.processes import Process
from tests.peers.situations.disk import Disk, DiskUse, in_pieces

# Longer than it takes until a back-end that is stopped is found out.
_SECONDS = 3


@dataclass(frozen=True)
class BackEndStopped(Disk):
    """While a guest writes to its disk, the back-end is stopped for three seconds. It goes on with what is pending."""

    script: ClassVar[str] = in_pieces(pause=0.05)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> DiskUse:
        front_end.wait_for("piece", "16")
        with back_end.stopped():
            time.sleep(_SECONDS)
        return super().act(folder, front_end, back_end)
