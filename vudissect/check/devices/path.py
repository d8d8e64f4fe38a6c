"""What a data path is."""

from collections.abc import Callable
from typing import NamedTuple

from vudissect.check.memory import Arena
from vudissect.check.queue import Check
from vudissect.rings.chain import Buffer


class Request(NamedTuple):
    """The buffers of a request, and what looks at its answer."""

    buffers: list[Buffer]
    check: Check


class DataPath(NamedTuple):
    """A device type: the rings that must run, the one that requests go to, and what makes a request.

    The request changes nothing that outlives the session: a read, a question.
    `runs_disabled`: requests in a disabled ring are discarded, not left alone, as is specified for network devices.
    """

    device: str
    rings: tuple[int, ...]
    ring: int
    request: Callable[[Arena], Request]
    runs_disabled: bool = False
