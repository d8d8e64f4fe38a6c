"""How an action is written: its name and arguments, what it is for, and the function that reads its arguments.

    @ACTIONS.action("split", "BYTE [PAUSE]", "...", "...", alters=False)
    def split(words: Words) -> Action:
        place, pause = words.number(least=1), words.duration(default=0.05)
        return lambda plan, target: ...

An action raises an `ImpossibleError` where it cannot be applied.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from vudissect.faults.errors import FaultError
from vudissect.faults.plan import Plan, Target
from vudissect.filter.errors import Token, unknown
from vudissect.filter.values import number_of
from vudissect.protocol.model import Row

Action = Callable[[Plan, Target], Plan]

OPTIONS = ("count", "after", "probability", "seed")
"""What may follow the actions of a fault."""

_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(us|ms|s)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class Words:
    """The words after the name of an action, read one after the other.

    `rows` are the messages that the fault can be about, in all dialects; None for any.
    """

    def __init__(self, name: Token, words: list[Token], rows: Collection[Row] | None = None) -> None:
        self.name = name
        self.rows = rows
        self._words = words
        self._next = 0

    @property
    def more(self) -> bool:
        """Whether there is another word."""
        return self._next < len(self._words)

    @property
    def column(self) -> int:
        """Where the next word is, or the end."""
        return self._words[self._next].column if self.more else self._end

    @property
    def has_number(self) -> bool:
        """Whether the next word is a number."""
        return self.more and number_of(self._words[self._next].text) is not None

    def take(self, what: str) -> Token:
        """The next word; `FaultError` if there is none."""
        if not self.more:
            raise FaultError(self._end, f"{self.name} needs {what}")
        self._next += 1
        return self._words[self._next - 1]

    def takes(self, text: str) -> bool:
        """Whether the next word is this one, which is then taken."""
        if not self.more or self._words[self._next].text.lower() != text:
            return False
        self._next += 1
        return True

    def number(self, what: str, least: int = 0, default: int | None = None) -> int:
        """The next word as a number."""
        if not self.more and default is not None:
            return default
        token = self.take(what)
        number = number_of(token.text)
        if number is None or number < least:
            raise FaultError(token.column, f"expected {what}, a number from {least}, not {token}")
        return number

    def duration(self, default: float | None = None) -> float:
        """The next word as a duration in seconds."""
        if not self.more and default is not None:
            return default
        token = self.take("a time, as in 100ms")
        seconds = seconds_of(token.text)
        if seconds is None:
            raise FaultError(token.column, f"expected a time and its unit (us, ms, s), as in 100ms, not {token}")
        return seconds

    def choice(self, what: str, choices: dict[str, object]) -> Token:
        """The next word, which is one of these."""
        token = self.take(f"a {what}: {', '.join(choices)}")
        if token.text.lower() not in choices:
            raise of_filter(unknown(what, token, choices))
        return token

    def rest(self, what: str) -> list[Token]:
        """All remaining words, at least one."""
        words = [self.take(what)]
        while self.more:
            words.append(self.take(what))
        return words

    def finish(self) -> None:
        """`FaultError` if there are words left."""
        if self.more:
            token = self._words[self._next]
            if token.text.startswith("#"):
                raise FaultError(token.column, "a comment is a line of its own, which begins with #")
            if token.text.partition("=")[0] in OPTIONS:
                raise FaultError(token.column, f"options come after a semicolon: ; {token}")
            raise FaultError(token.column, f"{self.name} has no argument {token}; its arguments: {self._syntax}")

    @property
    def about(self) -> str:
        """The messages that the fault can be about, for an error."""
        names = dict.fromkeys(row.name for row in self.rows or ())
        return next(iter(names)) if len(names) == 1 else "none of these messages"

    @property
    def no(self) -> str:
        """The negation after `about`, which may be one itself."""
        return "no " if len({row.name for row in self.rows or ()}) == 1 else ""

    @property
    def _syntax(self) -> str:
        kind = ACTIONS.find(self.name.text)
        return (kind.arguments if kind is not None else "") or "none"

    @property
    def _end(self) -> int:
        last = self._words[-1] if self._words else self.name
        return last.column + len(last.text)


class Kind(NamedTuple):
    """A kind of action: its name and arguments, what it does, and the bug that it reproduces.

    `alters`: it changes more than the time at which something arrives.
    """

    name: str
    arguments: str
    meaning: str
    bug: str
    read: Callable[[Words], Action]
    alters: bool = True


class ActionBook:
    """The kinds of actions, by name."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def find(self, name: str) -> Kind | None:
        """The kind with this name."""
        return self._kinds.get(name.lower())

    def action(
        self, name: str, arguments: str, meaning: str, bug: str, *, alters: bool = True
    ) -> Callable[[Callable[[Words], Action]], Callable[[Words], Action]]:
        """Register the decorated function, which reads the arguments of an action."""

        def enter(read: Callable[[Words], Action]) -> Callable[[Words], Action]:
            self._kinds[name] = Kind(name, arguments, meaning, bug, read, alters)
            return read

        return enter


ACTIONS = ActionBook()


def seconds_of(text: str) -> float | None:
    """A duration in seconds; None if it is not one."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) * _UNITS[match[2]] if match else None


def of_filter(error: ValueError) -> FaultError:
    """An error of the filter language as one of a fault."""
    return FaultError(getattr(error, "column", 1), getattr(error, "reason", str(error)))
