"""Known findings, so that only new ones fail: a finding is known by its rule, its text and who talks, not by its place.

The file has one JSON object per line, in a stable order, so that a change of it can be reviewed.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from vudissect.lint.finding import Finding
from vudissect.lint.groups import without_places
from vudissect.summary.peers import Pair


class BaselineError(ValueError):
    """A file that does not have known findings; one line."""


class Known(NamedTuple):
    """What a known finding is known by; numbers in its text are `N`. Versions and dialects do not matter."""

    rule: str
    blame: str
    front_end: str
    back_end: str
    device: str
    text: str


def known_by(finding: Finding, pair: Pair) -> Known:
    """What a finding about this pair is known by."""
    text = without_places(finding.message)
    return Known(finding.rule, finding.blame.value, pair.front_end, pair.back_end, pair.device, text)


def read_baseline(text: str) -> frozenset[Known]:
    """The known findings; `BaselineError`."""
    known = set()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            values = Known(**json.loads(line))
        except (ValueError, TypeError):
            values = None
        if values is None or not all(isinstance(value, str) for value in values):
            raise BaselineError(f"line {number} is not a known finding, as --write-baseline makes it")
        known.add(values)
    return frozenset(known)


def baseline_text(known: Iterable[Known]) -> str:
    """The file for these findings."""
    return "".join(f"{json.dumps(each._asdict())}\n" for each in sorted(known))
