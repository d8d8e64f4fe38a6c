"""Reads faults: one from an option, or a scenario with one a line.

fault    = filter ":" action ("," action)* [";" option*]
option   = ("count" | "after" | "probability" | "seed") "=" number

The colon has a blank before or after it.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from random import Random

from vudissect.faults import answers, contents, descriptors, endings, timing
from vudissect.faults.action import ACTIONS, OPTIONS, Action, Kind, Words, of_filter
from vudissect.faults.errors import FaultError, ScenarioError
from vudissect.faults.plan import Plan, Target
from vudissect.filter import Filter, FilterError, compile_filter
from vudissect.filter.errors import Token, unknown
from vudissect.filter.messages import rows
from vudissect.filter.values import number_of
from vudissect.protocol.model import Row

# The modules that have the actions.
MODULES = (timing, answers, contents, descriptors, endings)

_COLON = re.compile(r"\s+:(?=\s|$)|:(?=\s|$)|\s+:")
_WORD = re.compile(r"\S+")
_COMMENT = "#"
_PROBABILITY = re.compile(r"0|1|0?\.[0-9]{1,9}|1\.0+")
_EXAMPLE = "as in SET_VRING_ENABLE and ring=1 : drop"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: the messages that it is about, what happens to them, and how often.

    The first `after` messages are left alone, then at most `count` are changed (None: all), each with a probability.
    """

    number: int
    text: str
    wanted: Filter
    kinds: tuple[Kind, ...]
    actions: tuple[Action, ...]
    count: int | None = None
    after: int = 0
    probability: float = 1.0
    seed: int = 0

    @property
    def alters(self) -> bool:
        """Whether it changes more than the time at which something arrives."""
        return any(kind.alters for kind in self.kinds)

    def random(self) -> Random:
        """What decides at random: the same in each run."""
        return Random(f"{self.seed}:{self.number}")

    def apply(self, plan: Plan, target: Target) -> Plan:
        """The plan, changed; `ImpossibleError`."""
        for action in self.actions:
            plan = action(plan, target)
        return plan


def read_scenario(lines: Iterable[str], first: int = 1) -> list[Fault]:
    """The faults of a scenario, numbered from `first`; `ScenarioError`."""
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\n")
        if text.strip() and not text.lstrip().startswith(_COMMENT):
            try:
                faults.append(read_fault(text, first + len(faults)))
            except FaultError as error:
                raise ScenarioError(number, error) from None
    return faults


def read_fault(text: str, number: int = 1) -> Fault:
    """The fault in a text; `FaultError`."""
    colon = _COLON.search(text)
    if colon is None:
        place = text.find(":") + 1 or len(text.rstrip()) + 1
        raise FaultError(place, f"expected a colon with a blank before or after it, and an action, {_EXAMPLE}")
    wanted = _filter(text[: colon.start()])
    actions, sign, options = text[colon.end() :].partition(";")
    start = colon.end()
    read = read_actions(actions, start, rows_of(wanted))
    fault = Fault(number, text.strip(), wanted, tuple(kind for kind, _ in read), tuple(each for _, each in read))
    return _with_options(fault, _tokens(options, start + len(actions) + len(sign)))


def read_actions(text: str, start: int = 0, about: Collection[Row] | None = None) -> list[tuple[Kind, Action]]:
    """The actions in a text that begins after so many columns, for these messages (None: any); `FaultError`."""
    return [_action(words, about, is_first=not number) for number, words in enumerate(_lists(text, start))]


def rows_of(wanted: Filter) -> list[Row] | None:
    """The messages that a filter is about, in all dialects; None for any.

    A number is another message in some dialects: that of a message which is meant is in the filter in each of them.
    """
    if wanted.numbers is None:
        return None
    every = list(rows())
    others = {(row.channel, row.name) for row in every if (row.channel, row.id) not in wanted.numbers}
    meant = [row for row in every if (row.channel, row.name) not in others]
    known = {(row.channel, row.id) for row in every}
    return meant if wanted.numbers & known == {(row.channel, row.id) for row in meant} else None


def _filter(text: str) -> Filter:
    if not text.strip():
        raise FaultError(1, f"expected a filter before the colon, {_EXAMPLE}")
    try:
        wanted = compile_filter(text)
    except FilterError as error:
        raise of_filter(error) from None
    if wanted.judges:
        place = _place(r"\bhas:", text)
        raise FaultError(place, "a message is passed on before it is judged: a fault cannot depend on findings")
    if "frame" in wanted.keys:
        place = _place(r"\bframe\s*[=!<>]", text)
        raise FaultError(place, "frames have no numbers yet when a message is passed on: use ; after=N count=N")
    return wanted


def _place(pattern: str, text: str) -> int:
    """The column of something in a filter that has it."""
    match = re.search(pattern, text, re.IGNORECASE)
    return match.start() + 1 if match is not None else 1


def _tokens(text: str, start: int) -> list[Token]:
    return [Token(match[0], start + match.start() + 1) for match in _WORD.finditer(text)]


def _lists(text: str, start: int) -> list[list[Token]]:
    """The words of each action."""
    lists = []
    for part in text.split(","):
        words = _tokens(part, start)
        if not words:
            raise FaultError(start + len(part) + 1, "expected an action, such as drop, delay 100ms or close back-end")
        lists.append(words)
        start += len(part) + 1
    return lists


def _action(tokens: list[Token], about: Collection[Row] | None, *, is_first: bool) -> tuple[Kind, Action]:
    name, *rest = tokens
    kind = ACTIONS.find(name.text)
    if kind is None:
        error = of_filter(unknown("action", name, (each.name for each in ACTIONS), name.text.lower()))
        if is_first or error.reason.endswith("?"):
            raise error
        raise FaultError(error.column, f"{error.reason}: a comma begins another action, arguments have blanks")
    words = Words(name, rest, about)
    action = kind.read(words)
    words.finish()
    return kind, action


def _with_options(fault: Fault, tokens: list[Token]) -> Fault:
    given: set[str] = set()
    for token in tokens:
        name, sign, text = token.text.partition("=")
        if name not in OPTIONS:
            raise of_filter(unknown("option", Token(name, token.column), OPTIONS))
        if name in given:
            raise FaultError(token.column, f"{name} is there twice: keep one")
        given.add(name)
        value = Token(text, token.column + len(name) + len(sign))
        if text.endswith(","):
            raise FaultError(value.column + len(text) - 1, "options are separated by blanks, not by commas")
        match name:
            case "probability":
                fault = replace(fault, probability=_probability(value))
            case "count":
                fault = replace(fault, count=_number(name, value, least=1))
            case "after":
                fault = replace(fault, after=_number(name, value))
            case _:
                fault = replace(fault, seed=_number(name, value))
    return fault


def _number(name: str, value: Token, least: int = 0) -> int:
    number = number_of(value.text)
    if number is None or number < least:
        raise FaultError(value.column, f"{name} needs a number from {least}, as in {name}=1, not {_shown(value)}")
    return number


def _probability(value: Token) -> float:
    if not _PROBABILITY.fullmatch(value.text):
        what = f"probability needs a number from 0 to 1, as in probability=0.5, not {_shown(value)}"
        raise FaultError(value.column, what)
    return float(value.text)


def _shown(value: Token) -> str:
    return str(value) or "nothing"
