"""Findings of the linter."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """Breaks conforming or common peers; tolerated by some; worth knowing; breaks a named program."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    COMPAT = "compat"

    @property
    def rank(self) -> int:
        """0 for the worst. A named program that breaks comes before what is merely worth knowing."""
        return _WORST_FIRST.index(self)


_WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.COMPAT, Severity.INFO)


class Blame(StrEnum):
    """The side that is at fault; `FAULT`: none, it follows from a fault that the recorder injected on purpose."""

    FRONT_END = "front-end"
    BACK_END = "back-end"
    BOTH = "both"
    UNKNOWN = "unknown"
    FAULT = "fault"


class Finding(NamedTuple):
    """A violation of a rule.

    `frame` is where it happened (0: not at a message), `frames` led to it, `connection` is the connection's number, and
    `device_id` the id of its device, "" if the capture has none.
    `message` is one sentence that a maintainer can act on, with the values in it.
    """

    rule: str
    severity: Severity
    blame: Blame
    connection: int
    frame: int
    frames: tuple[int, ...]
    message: str
    source: str
    device_id: str = ""
