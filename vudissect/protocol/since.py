"""When something came into the protocol, as data: a dialect of the past has what was there in its day, and no more."""

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Since:
    """What something came with: a release or date of a program, specification or draft, and the commit.

    `version` is written as people write it (`2.12`, `18.04`, `2023-09`); `note` says what came to it later.
    """

    origin: str
    version: str = ""
    commit: str = ""
    note: str = ""

    def __str__(self) -> str:
        commit = f"({self.commit})" if self.version and self.commit else self.commit
        text = " ".join(part for part in (self.origin, self.version, commit) if part)
        return f"{text}; {self.note}" if self.note else text

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version as numbers, which can be compared."""
        return _numbers(self.version)

    def includes(self, other: "Since") -> bool:
        """Whether `other` was there by then. What came with something else, or it is unknown when, was not."""
        return self.origin == other.origin and () < other.numbers <= self.numbers


@cache
def _numbers(version: str) -> tuple[int, ...]:
    """Asked for all rows and bits by every dialect."""
    return tuple(map(int, re.findall(r"\d+", version)))


UNKNOWN = Since("")


def qemu(version: str, commit: str = "", note: str = "") -> Since:
    """A release of QEMU, whose documents are the specification: what upstream has, it has since one of them."""
    return Since("QEMU", version, commit, note)
