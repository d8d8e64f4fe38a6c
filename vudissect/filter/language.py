"""Compiles the text of a filter to a predicate: a tokenizer and a parser for this grammar.

filter     = both ("or" both)*
both       = one ("and" one)*
one        = ("not" | "!")* ( "(" filter ")" | MESSAGE | "has:" THING | NAME operator VALUE )
operator   = "=" | "!=" | "<" | "<=" | ">" | ">="
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from vudissect.filter import fields, messages
from vudissect.filter.errors import FilterError, Token, unknown
from vudissect.filter.keys import KEYS, THINGS
from vudissect.filter.seen import Asked
from vudissect.filter.values import OPERATORS, Comparison, Findings, Numbers, Predicate
from vudissect.session.event import Event

_TOKEN = re.compile(r"\s*([<>!]=|[=<>!()]|[^\s=<>!()]+)")
_WORDS = ("and", "or", "not")
_SIGNS = ("(", ")", "!", *OPERATORS)
_HAS = "has:"
_RING = "ring"
# Operators of other languages.
_MEANT = {"&&": "and", "&": "and", "||": "or", "|": "or", ",": "or"}
DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter: call it with an event and its findings. `judges`: it needs findings.

    `asked` is what it compares, apart from what it excludes, to say what a capture has instead. `numbers` are the only
    messages that can match; None for any. `keys` are the names that it compares besides fields.
    """

    text: str
    predicate: Predicate
    judges: bool = False
    asked: tuple[Asked, ...] = ()
    numbers: Numbers = None
    keys: frozenset[str] = frozenset()

    def __call__(self, event: Event, findings: Findings = ()) -> bool:
        """Whether to show it."""
        return self.predicate(event, findings)


def compile_filter(text: str) -> Filter:
    """The filter for a text, as `docs/filters.md` describes it; `FilterError` has the column of the error."""
    parser = _Parser(_tokens(text))
    part = parser.whole()
    return Filter(text.strip(), part.holds, parser.judges, tuple(parser.asked), part.numbers, frozenset(parser.keys))


def message_filter(pattern: str) -> Filter:
    """The messages of one name, pattern or number, which may contain any signs."""
    predicate = messages.message(Token(pattern, 1))
    return Filter(pattern, predicate, asked=(_of_messages(predicate),))


def any_of(filters: Sequence[Filter]) -> Filter:
    """A filter that matches if any of these does."""
    return _joined(filters, "or", _any)


def all_of(filters: Sequence[Filter]) -> Filter:
    """A filter that matches if all of these do."""
    return _joined(filters, "and", _all)


def _joined(filters: Sequence[Filter], sign: str, join: Callable[[list[Predicate]], Predicate]) -> Filter:
    if len(filters) == 1:
        return filters[0]
    texts = (f"({each.text})" if " " in each.text else each.text for each in filters)
    return Filter(
        f" {sign} ".join(texts),
        join([each.predicate for each in filters]),
        any(each.judges for each in filters),
        tuple(asked for each in filters for asked in each.asked),
    )


def _of_messages(predicate: Predicate) -> Asked:
    return Asked("messages", predicate, messages.names)


class _Part(NamedTuple):
    """A part of a filter: its predicate, and the messages that can satisfy it."""

    holds: Predicate
    numbers: Numbers = None


def _any(predicates: list[Predicate]) -> Predicate:
    return lambda event, findings: any(predicate(event, findings) for predicate in predicates)


def _all(predicates: list[Predicate]) -> Predicate:
    return lambda event, findings: all(predicate(event, findings) for predicate in predicates)


def _either_of(parts: list[_Part]) -> _Part:
    numbers: Numbers = frozenset()
    for part in parts:
        numbers = None if numbers is None or part.numbers is None else numbers | part.numbers
    return _Part(_any([part.holds for part in parts]), numbers)


def _both_of(parts: list[_Part]) -> _Part:
    limits = [part.numbers for part in parts if part.numbers is not None]
    return _Part(_all([part.holds for part in parts]), reduce(frozenset.intersection, limits) if limits else None)


def _negated(part: _Part) -> _Part:
    predicate = part.holds
    return _Part(lambda event, findings: not predicate(event, findings))


def _tokens(text: str) -> list[Token]:
    tokens = [Token(match[1], match.start(1) + 1) for match in _TOKEN.finditer(text)]
    return [*tokens, Token("", len(text.rstrip()) + 1)]


class _Parser:
    """Consumes one token after another; the last one is the end."""

    def __init__(self, tokens: list[Token]) -> None:
        self.judges = False
        self.asked: list[Asked] = []
        self.keys: set[str] = set()
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> _Part:
        """What all tokens say."""
        part = self._either()
        token = self._token
        if not token.text:
            return part
        if token.text in _MEANT:
            raise FilterError(token.column, f"unknown operator {token}; did you mean {_MEANT[token.text]}?")
        raise FilterError(token.column, f"expected and, or, or the end, not {token}")

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _takes(self, *texts: str) -> bool:
        if self._token.text.lower() not in texts:
            return False
        self._next += 1
        return True

    def _either(self) -> _Part:
        return self._list("or", self._both, _either_of)

    def _both(self) -> _Part:
        return self._list("and", self._one, _both_of)

    def _list(self, word: str, part: Callable[[], _Part], join: Callable[[list[_Part]], _Part]) -> _Part:
        parts = [part()]
        while self._takes(word):
            parts.append(part())
        return join(parts) if len(parts) > 1 else parts[0]

    def _one(self) -> _Part:
        negated = False
        while self._takes("not", "!"):
            negated = not negated
        asked = len(self.asked)
        part = self._group() if self._token.text == "(" else self._test()
        if negated:
            del self.asked[asked:]
        return _negated(part) if negated else part

    def _group(self) -> _Part:
        opened = self._take()
        self._depth += 1
        if self._depth > DEEPEST:
            raise FilterError(opened.column, f"more than {DEEPEST} parentheses are open")
        part = self._either()
        if not self._takes(")"):
            raise FilterError(
                self._token.column, f"expected ) for the ( in column {opened.column}, not {_end(self._token)}"
            )
        self._depth -= 1
        return part

    def _test(self) -> _Part:
        token = self._word("a message, has: or a comparison")
        if self._token.text in OPERATORS:
            return self._comparison(token)
        if token.text.lower().startswith(_HAS):
            return _Part(self._has(token))
        if token.text.lower() in KEYS:
            raise FilterError(token.column, f"{token} needs an operator and a value: {token}=...")
        predicate = messages.message(token)
        self.asked.append(_of_messages(predicate))
        return _Part(predicate, messages.numbers(token))

    def _comparison(self, name: Token) -> _Part:
        sign = self._take().text
        if sign == "=" and self._token.text == "=":
            raise FilterError(self._token.column, "write = once")
        comparison = Comparison(name, sign, self._word(f"a value for {name}"))
        key = KEYS.get(name.text.lower())
        if key is None:
            return _Part(fields.field(comparison, KEYS), fields.numbers(name.text))
        self.judges |= key.judges
        self.keys.add(name.text.lower())
        asked = key.asked(comparison)
        self.asked.append(asked)
        return _Part(asked.holds, fields.ring_numbers() if name.text.lower() == _RING else None)

    def _has(self, token: Token) -> Predicate:
        name = Token(token.text[len(_HAS) :], token.column + len(_HAS))
        thing = THINGS.get(name.text.lower())
        if thing is None:
            raise unknown("thing to have:", name, THINGS)
        self.judges |= thing.judges
        return thing.test

    def _word(self, expected: str) -> Token:
        token = self._token
        if not token.text or token.text in (*_SIGNS, *_MEANT) or token.text.lower() in _WORDS:
            raise FilterError(token.column, f"expected {expected}, not {_end(token)}")
        return self._take()


def _end(token: Token) -> str:
    return str(token) if token.text else "the end"
