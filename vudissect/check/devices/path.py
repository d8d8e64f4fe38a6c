"""What a data path is."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from vudissect.check.memory import Arena
from vudissect.check.queue import Check
from vudissect.rings.chain import Buffer


def fine(_: int) -> str:
    """Whatever was written is right."""
    return ""


class Request(NamedTuple):
    """The buffers of a request, and what looks at its answer."""

    buffers: list[Buffer]
    check: Check


class DataPath(NamedTuple):
    """A device type: the rings that must run, the one that requests go to, and what makes a request.

    The request changes nothing that outlives the session: a read, a question.
    `runs_disabled`: requests in a disabled ring are discarded, not left alone, as is specified for network devices.
    `receives` is the ring for what comes from the device. `other` is another ring for requests, where the back-end
    has so many. `requests` are others, by name.
    """

    device: str
    rings: tuple[int, ...]
    ring: int
    request: Callable[[Arena], Request]
    runs_disabled: bool = False
    other: int | None = None
    receives: int | None = None
    requests: Mapping[str, Callable[[Arena], Request]] = {}
