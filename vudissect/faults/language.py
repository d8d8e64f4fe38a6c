"""Reads faults: one from an option, or a scenario with one a line.

fault    = filter ":" action ("," action)* [";" option*]
option   = ("count" | "after" | "probability" | "seed") "=" number

The colon has a blank before or after it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from vudissect.faults import answers, contents, descriptors, endings, timing
from vudissect.faults.action import ACTIONS, Action, Kind, Words, of_filter
from vudissect.faults.errors import FaultError, ScenarioError
from vudissect.faults.plan import Plan, Target
from vudissect.filter import Filter, FilterError, compile_filter
from vudissect.filter.errors import Token, unknown
from vudissect.filter.values import number_of

# The modules that have the actions.
MODULES = (timing, answers, contents, descriptors, endings)

_COLON = re.compile(r"\s+:(?=\s|$)|:(?=\s|$)|\s+:")
_WORD = re.compile(r"\S+")
_COMMENT = "#"
_OPTIONS = ("count", "after", "probability", "seed")
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
        raise FaultError(len(text.rstrip()) + 1, f"expected a colon with a blank and an action, {_EXAMPLE}")
    wanted = _filter(text[: colon.start()])
    actions, sign, options = text[colon.end() :].partition(";")
    start = colon.end()
    read = read_actions(actions, start)
    fault = Fault(number, text.strip(), wanted, tuple(kind for kind, _ in read), tuple(each for _, each in read))
    return _with_options(fault, _tokens(options, start + len(actions) + len(sign)))


def read_actions(text: str, start: int = 0) -> list[tuple[Kind, Action]]:
    """The actions in a text that begins after so many columns; `FaultError`."""
    return [_action(words) for words in _lists(text, start)]


def _filter(text: str) -> Filter:
    if not text.strip():
        raise FaultError(1, f"expected a filter before the colon, {_EXAMPLE}")
    try:
        wanted = compile_filter(text)
    except FilterError as error:
        raise of_filter(error) from None
    if wanted.judges:
        raise FaultError(1, "a message is passed on before it is judged: a fault cannot depend on findings")
    if "frame" in wanted.keys:
        raise FaultError(1, "frames have no numbers yet when a message is passed on: use ; after=N count=N")
    return wanted


def _tokens(text: str, start: int) -> list[Token]:
    return [Token(match[0], start + match.start() + 1) for match in _WORD.finditer(text)]


def _lists(text: str, start: int) -> list[list[Token]]:
    """The words of each action."""
    lists = []
    for part in text.split(","):
        words = _tokens(part, start)
        if not words:
            raise FaultError(start + len(part) + 1, f"expected an action: {_known()}")
        lists.append(words)
        start += len(part) + 1
    return lists


def _action(tokens: list[Token]) -> tuple[Kind, Action]:
    name, *rest = tokens
    kind = ACTIONS.find(name.text)
    if kind is None:
        raise of_filter(unknown("action", name, (each.name for each in ACTIONS), name.text.lower()))
    words = Words(name, rest)
    action = kind.read(words)
    words.finish()
    return kind, action


def _known() -> str:
    return ", ".join(kind.name for kind in ACTIONS)


def _with_options(fault: Fault, tokens: list[Token]) -> Fault:
    for token in tokens:
        name, sign, text = token.text.partition("=")
        if name not in _OPTIONS or not sign:
            raise of_filter(unknown("option", Token(name, token.column), _OPTIONS))
        number = number_of(text)
        if name == "probability":
            if not _PROBABILITY.fullmatch(text):
                raise FaultError(token.column, f"probability needs a number from 0 to 1, as in 0.5, not {text}")
            fault = replace(fault, probability=float(text))
        elif number is None or number < (name == "count"):
            raise FaultError(token.column, f"{name} needs a number, as in {name}=1, not {text or 'the end'}")
        elif name == "count":
            fault = replace(fault, count=number)
        elif name == "after":
            fault = replace(fault, after=number)
        else:
            fault = replace(fault, seed=number)
    return fault
