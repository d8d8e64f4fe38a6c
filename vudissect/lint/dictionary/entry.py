"""How an entry of the dictionary is written: texts of a line with placeholders, and what they mean.

A placeholder is a name in braces: `{request}` is a message number, `{errno}` an error number, `{ring}` a ring,
`{message}` the name of a message, `{n}` any number, `{word}` one word, `{path}` a path, `{any}` anything up to 200
characters. All have a bound, so that a line of a million characters takes no longer than a million short ones. Case
does not matter: programs change it from release to release.
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from vudissect.lint.dictionary.program import Program
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose

_PLACES = {
    "n": r"-?(?:0x)?[0-9a-f]{1,20}",
    "word": r"[^\s,;]{1,120}",
    "path": r"[^\s,;:'\")]{1,200}",
    "any": r".{0,200}?",
    "message": r"[A-Z_]{1,60}",
    "ring": r"\d{1,10}(?!\d)",
    "errno": r"-?\d{1,10}(?!\d)",
    "request": r"\d{1,10}(?!\d)",
    "expected": r"\d{1,10}(?!\d)",
    "received": r"\d{1,10}(?!\d)",
}
_PLACE = re.compile(r"\{(\w+)\}")

MESSAGE_NUMBERS = ("request", "expected", "received")
"""The placeholders for message numbers, in the words used to explain them."""


class Suspect(Enum):
    """Who is likely to blame for a line."""

    FRONT_END = "the front-end"
    BACK_END = "the back-end"
    EITHER = "either side: look at what came before"
    SETTINGS = "the configuration of the VM or of the host"
    GUEST = "the driver in the guest, or wrong ring addresses"
    OTHER = "the side that closed the connection: look at the other log"
    NOBODY = "nobody: this is normal"


class Fate(Enum):
    """What happened to the connection or to a request, to look it up in a capture."""

    UNKNOWN = "unknown"
    CLOSED = "the connection was closed by the other side"
    REFUSED = "a request was refused"
    WAITING = "an answer is pending"
    UNREACHABLE = "there is no connection"


@dataclass(frozen=True)
class LogLine:
    """Lines with the same meaning: their program, what they mean, who is likely to blame, and what to check.

    `rules` are related rules of the linter, `about` the purposes of the messages concerned. `named` lines
    are too short to be recognised alone: the program must be named as well.
    """

    program: Program
    source: str
    texts: tuple[str, ...]
    meaning: str
    suspect: Suspect
    look: str
    rules: tuple[str, ...] = ()
    about: tuple[Purpose, ...] = ()
    fate: Fate = Fate.UNKNOWN
    channel: Channel = field(default=Channel.MAIN, kw_only=True)
    named: bool = field(default=False, kw_only=True)

    @cached_property
    def forms(self) -> tuple["Form", ...]:
        """The texts, ready to be searched for."""
        return tuple(Form(self, text) for text in self.texts)


class Form:
    """One text of an entry, ready to be searched for."""

    def __init__(self, line: LogLine, text: str) -> None:
        parts = _PLACE.split(text)
        self.line = line
        self.text = text
        self.literals = tuple(sorted((part.lower() for part in parts[::2] if part), key=len, reverse=True))
        """Its literal parts, the longest first: a line without them cannot match."""
        self.weight = sum(map(len, self.literals))
        """How much of a line it explains."""
        self._regex = re.compile("".join(_pattern(parts)), re.IGNORECASE)

    def search(self, text: str, lowered: str) -> re.Match[str] | None:
        """Where it is in a line, which is passed twice, the second time in lower case."""
        for literal in self.literals:
            if literal not in lowered:
                return None
        return self._regex.search(text)


def _pattern(parts: list[str]) -> list[str]:
    pattern = [re.escape(part) for part in parts]
    seen: set[str] = set()
    for number in range(1, len(parts), 2):
        name = parts[number]
        group = f"?P<{name}>" if name not in seen and name not in ("n", "any", "word") else "?:"
        seen.add(name)
        pattern[number] = f"({group}{_PLACES[name]})"
    return pattern
