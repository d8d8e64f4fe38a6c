"""Counts the findings of many captures by rule and pair: a few numbers for each, however many captures there are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.summary.peers import UNKNOWN_PAIR, Pair


class Place(NamedTuple):
    """Where a finding is (frame 0: not at a message), and its text."""

    file: str
    frame: int
    message: str


class PairCount(NamedTuple):
    """How often a rule was broken between two programs, in how many captures, and the first place."""

    pair: Pair
    findings: int
    captures: int
    first: Place


class RuleCount(NamedTuple):
    """How often a rule was broken with this severity and blame, in how many captures; the most frequent pair is first.

    `repetitions` counts further findings of the rule, which are not in the other numbers.
    """

    rule: str
    severity: Severity
    blame: Blame
    findings: int
    captures: int
    pairs: tuple[PairCount, ...]
    repetitions: int


class Counts(NamedTuple):
    """Of all captures: their number, how many were not read to the end, messages, known findings, and the rules."""

    captures: int
    incomplete: int
    messages: int
    known: int
    rules: tuple[RuleCount, ...]


_Rule = tuple[str, Severity, Blame]


class _Seen:
    """Findings in captures."""

    __slots__ = ("captures", "findings", "first", "last")

    def __init__(self, first: Place) -> None:
        self.findings = self.captures = 0
        self.first = first
        # The number of the last capture that was counted.
        self.last = 0

    def add(self, capture: int) -> None:
        """One more finding, in a capture of this number, from 1."""
        self.findings += 1
        self.captures += capture != self.last
        self.last = capture


class Fleet:
    """Captures are added one after the other; `counts` has what was counted so far."""

    def __init__(self) -> None:
        self._captures = self._incomplete = self._messages = self._known = 0
        self._rules: dict[_Rule, _Seen] = {}
        self._pairs: dict[_Rule, dict[Pair, _Seen]] = {}
        self._repetitions: Counter[str] = Counter()

    def add_incomplete(self) -> None:
        """A capture that cannot be read at all."""
        self._captures += 1
        self._incomplete += 1

    def add(
        self,
        file: str,
        messages: int,
        findings: Sequence[Finding],
        pairs: Mapping[int, Pair],
        withheld: Mapping[str, int],
        *,
        known: int = 0,
        complete: bool = True,
    ) -> None:
        """A capture: its findings but for so many `known` ones, and the pair of each connection."""
        self._captures += 1
        self._incomplete += not complete
        self._messages += messages
        self._known += known
        self._repetitions.update(withheld)
        for finding in findings:
            rule = finding.rule, finding.severity, finding.blame
            place = Place(file, finding.frame, finding.message)
            self._rules.setdefault(rule, _Seen(place)).add(self._captures)
            seen = self._pairs.setdefault(rule, {}).setdefault(
                pairs.get(finding.connection, UNKNOWN_PAIR), _Seen(place)
            )
            seen.add(self._captures)

    def counts(self) -> Counts:
        """The rules, worst first, and among equals the one that most captures break."""
        rules = sorted(self._rules.items(), key=lambda item: (item[0][1].rank, -item[1].captures, item[0][0]))
        return Counts(
            self._captures,
            self._incomplete,
            self._messages,
            self._known,
            tuple(self._count(rule, seen) for rule, seen in rules),
        )

    def _count(self, rule: _Rule, seen: _Seen) -> RuleCount:
        pairs = [PairCount(pair, each.findings, each.captures, each.first) for pair, each in self._pairs[rule].items()]
        pairs.sort(key=lambda each: (-each.captures, -each.findings, each.pair))
        return RuleCount(*rule, seen.findings, seen.captures, tuple(pairs), self._repetitions[rule[0]])
