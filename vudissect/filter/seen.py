"""What a capture has instead, where a filter matches nothing: the values of those comparisons that never hold."""

from collections.abc import Iterable, Sequence
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

    def add(self, held: bool, values: Iterable[Any]) -> None:
        """Enter what was seen of the same comparison in another capture."""
        self.held = self.held or held
        self.values.update(values)


def never_held(found: Sequence[Seen]) -> list[Seen]:
    """Of the comparisons of one filter, those that never held."""
    return [seen for seen in found if not seen.held]
