"""Which cases: by id, family, glob, message, rule or section of the specification."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from vudissect.check.model import Case
from vudissect.protocol.spelling import did_you_mean

_MESSAGE = re.compile(r"F>B (?:\w+: )?(\w+)")


class SelectionError(ValueError):
    """A word that selects nothing; one line."""


def select(cases: Iterable[Case], only: Sequence[str] = (), skip: Sequence[str] = ()) -> list[Case]:
    """The cases that one of `only` means, all without it, and none of `skip`; `SelectionError`."""
    every = list(cases)
    only, skip = _words(only), _words(skip)
    for word in (*only, *skip):
        if not any(_means(word, case) for case in every):
            families = list(dict.fromkeys(case.family for case in every))
            near = did_you_mean(word, [*families, *(case.id for case in every)])
            raise SelectionError(f"{word!r} selects no case: {near or _kinds(families)}; --list prints all cases")
    return [
        case
        for case in every
        if (not only or any(_means(word, case) for word in only)) and not any(_means(word, case) for word in skip)
    ]


def _kinds(families: list[str]) -> str:
    named = ", ".join(families)
    return f"give ids, families ({named}), globs (RNG-1*), msg:SET_VRING_NUM, rule:VU-VRG-02 or section:ring-states"


def _words(given: Sequence[str]) -> list[str]:
    return [word for each in given for word in each.split(",") if word]


def _means(word: str, case: Case) -> bool:
    kind, colon, pattern = word.partition(":")
    if colon and kind == "msg":
        return any(fnmatchcase(name, pattern.upper()) for name in _MESSAGE.findall(case.talk))
    if colon and kind == "rule":
        return any(fnmatchcase(rule, pattern.upper()) for rule in case.rules)
    if colon and kind == "section":
        return _plain(pattern) in _plain(case.section)
    return case.family == word.upper() or fnmatchcase(case.id, word.upper())


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())
