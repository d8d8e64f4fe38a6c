"""When something was added to the protocol, as data: an old dialect has what existed at its time, and nothing else."""

import re
from functools import cache
from typing import NamedTuple


class Since(NamedTuple):
    """What introduced something: a release or date of a program, specification or draft, and the commit.

    `version` is written as people write it (`2.12`, `18.04`, `2023-09`); `note` says what was added to it later.
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
        """The version as comparable numbers."""
        return _numbers(self.version)

    def includes(self, other: "Since") -> bool:
        """Whether `other` existed by then; not if it has another or an unknown origin."""
        return self.origin == other.origin and () < other.numbers <= self.numbers


@cache
def _numbers(version: str) -> tuple[int, ...]:
    """Every dialect asks this for all rows and bits."""
    return tuple(map(int, re.findall(r"\d+", version)))


UNKNOWN = Since("")


def qemu(version: str, commit: str = "", note: str = "") -> Since:
    """A release of QEMU, whose documents are the specification: whatever upstream has came with one of them."""
    return Since("QEMU", version, commit, note)
