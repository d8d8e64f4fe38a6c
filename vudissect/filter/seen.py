"""What a capture has instead, where a filter matches nothing: the values of those comparisons that never hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vudissect.filter.values import Findings, Predicate, Values
from vudissect.session.event import Event

# More different values are of no help, and a huge capture may have any number.
_MOST_VALUES = 4096


class Asked(NamedTuple):
    """A comparison in a filter: what its values are called, such as rings, whether it holds, and the values."""

    title: str
    holds: Predicate
    values: Values
    are_durations: bool = False


@dataclass(slots=True)
class Seen:
    """What was seen of one comparison: whether it ever held, and until then the values."""

    asked: Asked
    held: bool = False
    values: set[Any] = field(default_factory=set)

    def look(self, event: Event, findings: Findings) -> None:
        """Remember what an event has."""
        if not self.held:
            self.held = self.asked.holds(event, findings)
            if len(self.values) < _MOST_VALUES:
                self.values.update(self.asked.values(event, findings))


def never_held(captures: Sequence[Sequence[Seen]]) -> list[Seen]:
    """The comparisons of one filter that held in none of the captures, with the values of all captures."""
    return [
        Seen(seen[0].asked, values=set().union(*(each.values for each in seen)))
        for seen in zip(*captures, strict=True)
        if not any(each.held for each in seen)
    ]
