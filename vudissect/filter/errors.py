"""What is wrong with a filter: where, and what was perhaps meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

# Of a word that is not understood, how much is shown.
_LONGEST = 60
# Words that are listed where none is near.
_MOST_LISTED = 8


class Token(NamedTuple):
    """A word or a sign of a filter, and the column of its first letter, from 1. The end has no text."""

    text: str
    column: int

    def __str__(self) -> str:
        return self.text if len(self.text) <= _LONGEST else f"{self.text[:_LONGEST]}..."


class FilterError(ValueError):
    """A filter that cannot be understood; its text names the column and the remedy."""

    def __init__(self, column: int, text: str) -> None:
        super().__init__(f"column {column}: {text}")
        self.column = column
        """Where it is, from 1."""
        self.reason = text
        """What is wrong, without the column."""


def unknown(what: str, token: Token, known: Iterable[str], spelling: str = "") -> FilterError:
    """The error for a word that is not one of those that are known. `spelling`: the word as those are spelled."""
    names = {name.lower(): name for name in known}
    near = get_close_matches((spelling or token.text).lower(), names, n=1)
    hint = ""
    if near:
        hint = f"; did you mean {names[near[0]]}?"
    elif 0 < len(names) <= _MOST_LISTED:
        hint = f"; known: {', '.join(names.values())}"
    return FilterError(token.column, f"unknown {what} {token}{hint}")
