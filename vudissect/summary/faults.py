"""Counts the faults that were injected on purpose (`vuproxy --fault`), and says which."""

from collections import Counter

from vudissect.capture.record import Record
from vudissect.lint.words import count_text

INJECTED = "injected"
_MOST_KINDS = 64
_OTHERS = "others"


class Injected:
    """How many faults were injected, by action, and how many could not be.

    A fault with several actions counts once, as `set+delay`. Each connection that is refused counts.
    """

    __slots__ = ("injected", "missed")

    def __init__(self) -> None:
        self.injected: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()

    def see(self, record: Record) -> None:
        """Note a record about a fault."""
        counter = self.injected if record.details.get("outcome") == INJECTED else self.missed
        action = str(record.details.get("action", "")) or _actions(str(record.details.get("text", "")))
        kind = action.replace(", ", "+")
        # A capture may have anything in it.
        counter[kind if kind in counter or len(counter) < _MOST_KINDS else _OTHERS] += 1

    @property
    def text(self) -> str:
        """`3 faults injected: 2 delay, 1 drop; 1 not injected: 1 withhold-fd`; "" if there are none."""
        parts = []
        if self.injected:
            parts.append(f"{count_text(self.injected.total(), 'fault')} injected: {_listed(self.injected)}")
        if self.missed:
            number = self.missed.total()
            what = str(number) if self.injected else count_text(number, "fault")
            parts.append(f"{what} not injected: {_listed(self.missed)}")
        return "; ".join(parts)


def _actions(text: str) -> str:
    """The names of the actions of a fault as it was written."""
    actions = text.rpartition(": ")[2].partition(";")[0].split(",")
    return ", ".join(action.split()[0] for action in actions if action.strip()) or _OTHERS


def _listed(counter: "Counter[str]") -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counter.most_common())
