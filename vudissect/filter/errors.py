"""Errors of a filter: where they are, and what was probably meant."""

from collections.abc import Iterable
from typing import NamedTuple

from vudissect.protocol.spelling import did_you_mean

# How much of an unknown word is shown.
_LONGEST = 60
# How many known words are listed if none is similar.
_MOST_LISTED = 8


class Token(NamedTuple):
    """A word or sign of a filter, and its column, from 1. The end has no text."""

    text: str
    column: int

    def __str__(self) -> str:
        return self.text if len(self.text) <= _LONGEST else f"{self.text[:_LONGEST]}..."


class FilterError(ValueError):
    """An invalid filter; its text has the column and the remedy."""

    def __init__(self, column: int, text: str) -> None:
        super().__init__(f"column {column}: {text}")
        self.column = column
        """Where it is, from 1."""
        self.reason = text
        """What is wrong, without the column."""


def unknown(what: str, token: Token, known: Iterable[str], spelling: str = "") -> FilterError:
    """The error for an unknown word. `spelling`: the word, spelled like the known ones."""
    names = dict.fromkeys(known)
    listed = f"known: {', '.join(names)}" if len(names) <= _MOST_LISTED else ""
    hint = did_you_mean(spelling or token.text, names, listed, most=1)
    return FilterError(token.column, f"unknown {what} {token}{f'; {hint}' if hint else ''}")
