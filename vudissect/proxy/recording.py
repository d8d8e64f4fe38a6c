"""What to record, where to, and what else to do with it."""

import shlex
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vudissect.proxy.command import Wrapped
from vudissect.proxy.metrics import Place
from vudissect.proxy.ring_observer import RingOptions
from vudissect.proxy.rotation import Rotation
from vudissect.proxy.triggers import Bundling

if TYPE_CHECKING:
    from vudissect.proxy.faulting import Faults

STDOUT: Final = 1
STDERR: Final = 2


@dataclass(frozen=True, slots=True)
class Recording:
    """Where the capture goes: a file, `-` for standard output, or None for a new file with a generated name.

    `shown` is the filter of the live transcript, if there is one, and `color` an option of it. `while_read`: end when
    nobody reads standard output any more; otherwise the traffic continues. `program` is recorded in the capture as the
    program that was started. `rings`: also record what is seen in the rings. `rotation`: write several files, with
    names after that of `capture`. `metrics`: where to serve or write numbers for monitoring; `name` is their label, ""
    for the address of the front-end. `page`: whether to serve a page of the session. `bundling`: when to make bundles
    of what was recorded. `wrapped`: let this program begin, and end with it. `faults`: what decides on faults in the
    traffic.
    """

    capture: str | None = None
    quiet: bool = False
    verbose: bool = False
    shown: str = ""
    snaplen: int = 65536
    keep_keys: bool = False
    while_read: bool = False
    program: str = "vuproxy"
    rings: RingOptions | None = None
    color: str = "auto"
    rotation: Rotation | None = None
    metrics: Place | None = None
    name: str = ""
    page: bool = False
    bundling: Bundling | None = None
    wrapped: Wrapped | None = None
    faults: "Faults | None" = None

    @property
    def path(self) -> str:
        """Where the capture is, or the path that the names of its files are made from."""
        if self.rotation is not None:
            return self.capture or "vuproxy.pcapng"
        return self.capture or time.strftime("vuproxy-%Y%m%d-%H%M%S.pcapng")

    @property
    def command(self) -> str:
        """The command line, without the folder of the program, which is private: captures are shared."""
        return shlex.join([self.program, *sys.argv[1:]])

    @property
    def has_transcript(self) -> bool:
        """Whether there is a live transcript."""
        return not (self.quiet or self.capture == "-")

    @property
    def written_to(self) -> tuple[int, ...]:
        """The standard streams that the proxy writes to."""
        return (STDERR,) if self.quiet else (STDOUT, STDERR)


class RecordingError(Exception):
    """Something to be recorded has nowhere to go; the message names it and the remedy."""
