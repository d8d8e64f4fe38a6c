"""Findings that say the same, put together: one fault is one finding, with all its places."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from vudissect.lint.finding import Finding, Severity

# What may differ where the same is said of another place: numbers, and the names of descriptors.
_PLACES = re.compile(r"\b(?:[a-z]+#)?(?:0x[0-9a-f]+|\d+(?:\.\d+)?)\b")


class Group(NamedTuple):
    """A finding, and the others that say the same of other places, in order."""

    first: Finding
    again: tuple[Finding, ...] = ()

    @property
    def all(self) -> tuple[Finding, ...]:
        """All of them, in order."""
        return (self.first, *self.again)

    @property
    def connections(self) -> int:
        """On how many connections it was found."""
        return len({finding.connection for finding in self.all})


def without_places(message: str) -> str:
    """The text of a finding with `N` instead of numbers, so that it is the same of another place."""
    return _PLACES.sub("N", message)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, and among equals what came first: a first cause comes before its consequences."""
    return sorted(findings, key=lambda finding: (finding.severity.rank, finding.frame))


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """The findings, worst first, those that say the same put together. Infos are put together by their rule."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in in_order(findings):
        says = "" if finding.severity is Severity.INFO else without_places(finding.message)
        groups.setdefault((finding.rule, finding.severity, finding.blame, says), []).append(finding)
    return [Group(first, tuple(again)) for first, *again in groups.values()]
