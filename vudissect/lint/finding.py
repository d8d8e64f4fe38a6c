"""What the linter finds."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How bad it is: breaks conforming or common peers; tolerated somewhere; worth knowing; breaks a named program."""

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
    """Who did it."""

    FRONT_END = "front-end"
    BACK_END = "back-end"
    BOTH = "both"
    UNKNOWN = "unknown"


class Finding(NamedTuple):
    """A broken rule at a place.

    `frame` is where it happened (0: at no message), `frames` are the ones that led to it, `connection` its number.
    `message` is one sentence on which a maintainer can act, with the values in it.
    """

    rule: str
    severity: Severity
    blame: Blame
    connection: int
    frame: int
    frames: tuple[int, ...]
    message: str
    source: str
