"""The values that a filter compares with: numbers, sizes, durations and words."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from vudissect.filter.errors import FilterError, Token, unknown
from vudissect.lint.finding import Finding
from vudissect.protocol.model import Channel
from vudissect.session.event import Event

Findings = Sequence[Finding]
Predicate = Callable[[Event, Findings], bool]
Values = Callable[[Event, Findings], Iterable[Any]]
Numbers = frozenset[tuple[Channel, int]] | None
"""The messages that a predicate can hold for, by channel and number; None for any, and for what is not a message."""

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""The signs between a name and a value."""

_EQUALITY = ("=", "!=")
# No field has more than 64 bits.
_NUMBER = re.compile(r"(-?)(0x[0-9a-f]{1,16}|[0-9]{1,20})([kmgt]?)", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ns|us|ms|s)")
SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
TIMES = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


class Comparison(NamedTuple):
    """A name, an operator and a value, as they are written."""

    name: Token
    operator: str
    value: Token

    @property
    def is_equality(self) -> bool:
        """Whether it asks for equal or not equal."""
        return self.operator in _EQUALITY

    def needs_equality(self) -> None:
        """`FilterError` if it compares the order of values that have none."""
        if not self.is_equality:
            raise FilterError(self.value.column, f"{self.name} has no order: compare it with = or !=")


def number_of(text: str) -> int | None:
    """A number, decimal or hexadecimal, optionally with K, M, G or T (powers of 1024); None for anything else."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, digits, suffix = match.groups()
    return int(sign + digits, 16 if digits[:2] in ("0x", "0X") else 10) * SIZES[suffix.lower()]


def compare(values: Values, sign: str, wanted: Any) -> Predicate:
    """True if one of the values satisfies `sign`; for `!=`, if there are values and none is equal."""
    if sign == "!=":

        def differs(event: Event, findings: Findings) -> bool:
            found = list(values(event, findings))
            return bool(found) and wanted not in found

        return differs
    holds = OPERATORS[sign]
    return lambda event, findings: any(holds(value, wanted) for value in values(event, findings))


def number(values: Values) -> Callable[[Comparison], Predicate]:
    """Comparisons with a number."""

    def make(comparison: Comparison) -> Predicate:
        wanted = number_of(comparison.value.text)
        if wanted is None:
            raise FilterError(comparison.value.column, f"expected a number, not {comparison.value}")
        return compare(values, comparison.operator, wanted)

    return make


def duration(values: Values) -> Callable[[Comparison], Predicate]:
    """Comparisons with a duration, in nanoseconds."""

    def make(comparison: Comparison) -> Predicate:
        match = _DURATION.fullmatch(comparison.value.text)
        if match is None:
            example = f"{comparison.name}{comparison.operator}100ms"
            raise FilterError(comparison.value.column, f"expected a time and its unit (ns, us, ms, s), as in {example}")
        whole, _, decimals = match[1].partition(".")
        unit = TIMES[match[2]]
        nanoseconds = int(whole) * unit + int(decimals or 0) * unit // 10 ** len(decimals)
        return compare(values, comparison.operator, nanoseconds)

    return make


def word(values: Values, words: Mapping[str, Any], *, ordered: bool = False) -> Callable[[Comparison], Predicate]:
    """Comparisons with one of some words, by the values that they represent."""

    def make(comparison: Comparison) -> Predicate:
        wanted = words.get(comparison.value.text.lower())
        if wanted is None:
            raise unknown(comparison.name.text, comparison.value, words)
        if not ordered:
            comparison.needs_equality()
        return compare(values, comparison.operator, wanted)

    return make
