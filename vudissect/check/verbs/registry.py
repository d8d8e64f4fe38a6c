"""The lines of a talk that begin with `*`: everything that is not one message.

A verb is a function with `@verb("words with (groups)", "what it does, for docs/conformance.md")`. It raises
`DeviationError` if the program under test does not do its part.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from vudissect.check.room import Room
from vudissect.conversation.conversation import ConversationError

_Act = Callable[..., None]


class Verb(NamedTuple):
    """What a line may say, and what it does."""

    words: re.Pattern[str]
    about: str
    do: _Act


class VerbBook:
    """The verbs of one half of the suite."""

    def __init__(self) -> None:
        self.verbs: list[Verb] = []

    def verb(self, words: str, about: str) -> Callable[[_Act], _Act]:
        """Add a verb: a regular expression, whose groups are its arguments, and a line about it."""

        def add(do: _Act) -> _Act:
            self.verbs.append(Verb(re.compile(words), about, do))
            return do

        return add

    def act(self, place: object, text: str) -> None:
        """Do what a line says; `ConversationError` if no verb is meant, `DeviationError` if it does not work."""
        for each in self.verbs:
            match = each.words.fullmatch(text)
            if match is not None:
                each.do(place, *match.groups())
                return
        raise ConversationError(f"no verb {text!r}; there are {', '.join(each.words.pattern for each in self.verbs)}")


_BOOK = VerbBook()
VERBS = _BOOK.verbs
verb = _BOOK.verb


def act(room: Room, text: str) -> None:
    """Do what a line for back-ends says; see `VerbBook.act`."""
    _BOOK.act(room, text)
