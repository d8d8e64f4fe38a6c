"""Aligns the steps of two sessions by what they mean: the same, only in one of them, or in both in another order."""

from collections import defaultdict, deque
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from vudissect.compare.exchange import Exchange

MOST_STEPS = 2000
"""Longer parts that differ are not aligned, because that takes quadratic time."""


class TooLongError(ValueError):
    """So many steps differ that they cannot be aligned."""


class Aligned(NamedTuple):
    """A step of the first session and the same of the second; None in the one that lacks it. `moved`: out of order."""

    first: Exchange | None
    second: Exchange | None
    moved: bool = False


def align(first: Sequence[Exchange], second: Sequence[Exchange]) -> list[Aligned]:
    """The steps of both, in the order of the first where they are in it; `TooLongError` if that takes too long."""
    start = _common(first, second)
    end = _common(first[start:][::-1], second[start:][::-1])
    middle, other = first[start : len(first) - end], second[start : len(second) - end]
    same = [Aligned(*pair) for pair in zip(first[:start], second[:start], strict=True)]
    tail = [Aligned(*pair) for pair in zip(first[len(first) - end :], second[len(second) - end :], strict=True)]
    return same + _moved(_differing(middle, other)) + tail


def _common(first: Sequence[Exchange], second: Sequence[Exchange]) -> int:
    """The number of equal steps at the beginning."""
    count = 0
    for ours, theirs in zip(first, second, strict=False):
        if ours.key != theirs.key:
            break
        count += 1
    return count


def _differing(first: Sequence[Exchange], second: Sequence[Exchange]) -> list[Aligned]:
    if min(len(first), len(second)) > MOST_STEPS:
        raise TooLongError(f"{len(first)} and {len(second)} messages in a row differ")
    matcher = SequenceMatcher(None, [step.key for step in first], [step.key for step in second], autojunk=False)
    aligned: list[Aligned] = []
    for tag, start, end, other, other_end in matcher.get_opcodes():
        if tag == "equal":
            aligned += [Aligned(*pair) for pair in zip(first[start:end], second[other:other_end], strict=True)]
        else:
            aligned += [Aligned(step, None) for step in first[start:end]]
            aligned += [Aligned(None, step) for step in second[other:other_end]]
    return aligned


def _moved(aligned: Sequence[Aligned]) -> list[Aligned]:
    """The same, with steps that only one has in one place and only the other in another put together."""
    lacking: defaultdict[object, deque[Exchange]] = defaultdict(deque)
    for pair in aligned:
        if pair.first is None and pair.second is not None:
            lacking[pair.second.key].append(pair.second)
    found: list[Aligned] = []
    taken: set[int] = set()
    for pair in aligned:
        others = lacking[pair.first.key] if pair.first is not None and pair.second is None else None
        if others:
            other = others.popleft()
            taken.add(other.request.record.frame)
            found.append(Aligned(pair.first, other, moved=True))
        else:
            found.append(pair)
    return [
        pair
        for pair in found
        if pair.first is not None or pair.second is None or pair.second.request.record.frame not in taken
    ]
