"""What can be recognised in a line of any program: messages, errors, rings and sockets."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from vudissect.lint.dictionary.entry import MESSAGE_NUMBERS
from vudissect.lint.dictionary.errnos import Errno, errno_of, errnos_in
from vudissect.protocol.model import Channel, Row
from vudissect.protocol.table import UPSTREAM, plain_name
from vudissect.protocol.unknown import unknown_row

# The facts of a line are in its beginning.
_MOST_CHARACTERS = 4096
_MOST_OF_A_KIND = 4

_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*")
_HUMPS = re.compile(r"[A-Z][a-z0-9]*")
# Messages that are written as words: `Set vring num failed`.
_FIRST_WORDS = frozenset({"GET", "SET", "ADD", "REM", "RESET", "SEND", "CHECK", "CREATE", "CLOSE"})
_MOST_WORDS = 4
_CALLED = re.compile(r" ?\(([A-Z][A-Z0-9_]{2,60})\)")
_NUMBERED = re.compile(
    r"\b(?:req(?:uest)?(?: type| id)?|msg(?: type| id)?|message(?: type| id)?)[ :=#(]{1,3}(\d{1,10})(?![\w.])",
    re.IGNORECASE,
)
_RING = re.compile(r"\b(?:vq|vring|virtqueue|queue|ring|qidx|qid|q)[ =:#(\[]{1,2}(\d{1,5})(?![\w.])", re.IGNORECASE)
_SOCKET = re.compile(r"(?<![\w.])/[\w.@+/-]{0,200}(?:sock|vhost|vh?u)[\w.@+/-]{0,60}")
_SOURCE_FILES = (".c", ".rs", ".go", ".h")


class Named(NamedTuple):
    """A message that a line names, by number or by name: its role in the line ("" for none), and its row.

    `called` is the name that the line gives it, if any.
    """

    role: str
    number: int
    row: Row
    called: str = ""


class Facts(NamedTuple):
    """What a line names."""

    messages: tuple[Named, ...] = ()
    errnos: tuple[Errno, ...] = ()
    rings: tuple[int, ...] = ()
    sockets: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The messages that are in the table."""
        return tuple(dict.fromkeys(named.row for named in self.messages if named.row.known))


def facts_of(text: str, match: re.Match[str] | None, channel: Channel) -> Facts:
    """What a line names, in placeholders of a known form (`match`) and elsewhere."""
    beginning = text[:_MOST_CHARACTERS]
    numbered = tuple(_numbered(beginning, text, match, channel))
    known = {named.row for named in numbered}
    by_name = (Named("", row.id, row) for row in _rows_in(beginning, channel) if row not in known)
    errnos = errnos_in(beginning)
    rings = [match["ring"]] if match is not None and "ring" in match.re.groupindex and match["ring"] else []
    rings += _RING.findall(beginning)
    if match is not None and "errno" in match.re.groupindex and match["errno"]:
        named = errno_of(int(match["errno"]))
        errnos = (*((named,) if named is not None and named not in errnos else ()), *errnos)
    sockets = (path for path in _SOCKET.findall(beginning) if not path.endswith(_SOURCE_FILES))
    return Facts(
        (*numbered, *tuple(by_name)[:_MOST_OF_A_KIND]),
        errnos[:_MOST_OF_A_KIND],
        tuple(dict.fromkeys(map(int, rings)))[:_MOST_OF_A_KIND],
        tuple(dict.fromkeys(sockets))[:_MOST_OF_A_KIND],
    )


def _numbered(beginning: str, text: str, match: re.Match[str] | None, channel: Channel) -> Iterator[Named]:
    """The messages named by number: in placeholders of a form, or without a form after such a word."""
    if match is None:
        for found in list(_NUMBERED.finditer(beginning))[:_MOST_OF_A_KIND]:
            yield _named("message", found[1], beginning[found.end() :], channel)
        return
    for role in MESSAGE_NUMBERS:
        if role in match.re.groupindex and match[role]:
            yield _named(role, match[role], text[match.end(role) : match.end(role) + 80], channel)


def _named(role: str, number: str, rest: str, channel: Channel) -> Named:
    called = _CALLED.match(rest)
    row = UPSTREAM.request(channel, int(number)) or unknown_row(channel)
    return Named(role, int(number), row, plain_name(called[1]) if called else "")


def _rows_in(text: str, channel: Channel) -> Iterator[Row]:
    """The messages named as in C, in Rust or in prose: VHOST_USER_X_Y, x_y, x-y, VhostUserXY, x y."""
    names = _names()
    words = [match.group() for match in _WORDS.finditer(text)]
    found: dict[Row, None] = {}
    for place, word in enumerate(words):
        spelled = [_spelled(word)]
        if word.upper() in _FIRST_WORDS:
            spelled += ["_".join(words[place : place + count]).upper() for count in range(_MOST_WORDS, 1, -1)]
        for name in spelled:
            rows = names.get(name)
            if rows:
                found[rows.get(channel) or next(iter(rows.values()))] = None
                break
    yield from found


def _spelled(word: str) -> str:
    """A word as the table spells names."""
    if "_" in word or "-" in word:
        return plain_name(word.replace("-", "_")).removeprefix("VHOST_")
    humps = _HUMPS.findall(word)
    if len(humps) < 2 or "".join(humps) != word:
        return ""
    return "_".join(humps).upper().removeprefix("VHOST_USER_")


@cache
def _names() -> dict[str, dict[Channel, Row]]:
    """The rows of each name that cannot be confused with a plain word, by channel."""
    names: dict[str, dict[Channel, Row]] = {}
    for row in UPSTREAM.messages:
        for name in (row.name, *row.aliases):
            if "_" in name:
                names.setdefault(name, {})[row.channel] = row
    return names
