"""How much like the recorded one a value must be: defaults by what the value means, and what the user says instead."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.model import Channel, Field, Layout, Meaning, Row
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import plain_name

# What is compared of a message besides its payload; the names are those of `vudissect show --json`.
VERSION = "flags.version"
REPLY = "flags.reply"
NEED_REPLY = "flags.need_reply"
RESERVED = "flags.raw"
PAYLOAD_SIZE = "payload_size"
FDS = "fds"
FD_KIND = "fds.kind"
FD_SIZE = "fds.size"
FD_PAGE_SIZE = "fds.page_size"
FD_SEALS = "fds.seals"
FD_IDENTITY = "fds.identity"
_OF_ANY_MESSAGE = frozenset(
    {VERSION, REPLY, NEED_REPLY, RESERVED, PAYLOAD_SIZE, FDS, FD_KIND, FD_SIZE, FD_PAGE_SIZE, FD_SEALS, FD_IDENTITY}
)

# Of what is not understood, how much is shown.
_LONGEST = 80

# Stands for a message where the end of a connection or channel is meant.
CONNECTION = "connection"
CLOSE = "close"


class How(StrEnum):
    """What the value of a live message must have to do with the recorded one."""

    EXACT = "exact"
    IGNORED = "ignored"
    MASKED = "mask"  # equal in the bits of a mask
    ADDED = "may add"  # all bits of the recorded one, and perhaps more
    RELATED = "related"  # what it was made of in this session, as the recorded one was in that


class Rule(NamedTuple):
    """How a value is compared; `mask` counts for `How.MASKED`."""

    how: How
    mask: int = -1

    def __str__(self) -> str:
        return f"{self.how.value} {self.mask:#x}" if self.how is How.MASKED else self.how.value


EXACT = Rule(How.EXACT)
IGNORED = Rule(How.IGNORED)
RELATED = Rule(How.RELATED)

_BY_MEANING = {
    Meaning.PADDING: IGNORED,
    Meaning.LEFTOVER: IGNORED,
    Meaning.POINTER: IGNORED,
    Meaning.SECRET: IGNORED,
    Meaning.USER_ADDRESS: RELATED,
    Meaning.RING_ADDRESS: RELATED,
    Meaning.GUEST_ADDRESS: RELATED,
    Meaning.IOVA: RELATED,
    Meaning.RING_BASE: RELATED,
}


class PolicyError(ValueError):
    """A policy that makes no sense; one line."""


class Override(NamedTuple):
    """A rule for the fields whose names match; both are patterns with `*`, in any case of the letters."""

    message: str
    field: str
    rule: Rule

    def covers(self, message: str, field: str) -> bool:
        """Whether it is about this field (`regions.user_addr`) of this message."""
        return fnmatchcase(message, self.message) and fnmatchcase(field, self.field)


class Policy:
    """The rule for every field of every message; of several overrides the last one counts."""

    def __init__(self, overrides: Iterable[Override] = ()) -> None:
        self._overrides = tuple(overrides)
        self._known: dict[tuple[Row, Layout, Field | None, str, bool], Rule] = {}

    def of_field(self, row: Row, layout: Layout, field: Field, name: str, *, reply: bool) -> Rule:
        """The rule for a field of the payload; `name` is its path (`regions.user_addr`)."""
        key = (row, layout, field, name, reply)
        rule = self._known.get(key)
        if rule is None:
            rule = self._known[key] = self.named(row.name, name) or _default(row, layout, field, reply)
        return rule

    def of_message(self, row: Row | None, name: str) -> Rule:
        """The rule for what every message has: flags, size, descriptors."""
        if row is not None:
            rule = self.named(row.name, name)
            if rule is not None:
                return rule
            # Some back-ends leave in these flags whatever was in memory.
            if row.channel is Channel.GPU and name in (VERSION, REPLY, NEED_REPLY, RESERVED):
                return IGNORED
        return EXACT

    def named(self, message: str, field: str) -> Rule | None:
        """What the user has said of a field of a message."""
        for override in reversed(self._overrides):
            if override.covers(message, field):
                return override.rule
        return None


def _default(row: Row, layout: Layout, field: Field, reply: bool) -> Rule:
    if row.purpose is Purpose.READ_CONFIG and field.meaning is Meaning.CONFIG and not reply:
        return IGNORED  # room for the contents; what is in it means nothing
    if layout.is_region and field.meaning is Meaning.GUEST_ADDRESS:
        return EXACT
    return _BY_MEANING.get(field.meaning, EXACT)


def overrides_of_file(text: str, name: str) -> tuple[Override, ...]:
    """The overrides in a policy file, called `name` in what is said of it (`PolicyError`).

    It is TOML: a table `policy` with lines `"MESSAGE.FIELD" = "RULE"`.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{name}: not TOML: {error}") from None
    rules = content.get("policy")
    if not isinstance(rules, Mapping) or len(content) != 1:
        raise PolicyError(f'{name}: say [policy], and below it lines like "MESSAGE.FIELD" = "ignored"')
    return tuple(override(path, _rule(path, value)) for path, value in _flat(rules))


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, object]]:
    """The lines of a table; a dot in a name that is not in quotation marks makes a table within."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def override(text: str, rule: Rule) -> Override:
    """A rule for `MESSAGE.FIELD`; `PolicyError` where no message of any dialect has such a field."""
    message, dot, field = text.partition(".")
    if not dot or not message or not field:
        raise PolicyError(f"{text!r}: say MESSAGE.FIELD, a message and a field")
    if (message.lower(), field) == (CONNECTION, CLOSE):
        return Override(CONNECTION, CLOSE, rule)
    name = plain_name(message)
    rows = [row for dialect in DIALECTS for row in dialect.protocol.messages if fnmatchcase(row.name, name)]
    if not rows:
        raise PolicyError(f"{text!r}: no message is called {message} (vudissect messages lists them)")
    known = {known for row in rows for known in _field_names(row)}
    if not any(fnmatchcase(known_name, field) for known_name in known):
        fields = ", ".join(sorted(known - _OF_ANY_MESSAGE)) or "none of its own"
        raise PolicyError(f"{text!r}: {message} has no field {field}; its fields: {fields}")
    return Override(name, field, rule)


def _field_names(row: Row) -> Iterable[str]:
    yield from _OF_ANY_MESSAGE
    for layout in (*row.request, *row.reply):
        yield from field_names(layout)


def field_names(layout: Layout, prefix: str = "") -> Iterable[str]:
    """The names of the fields of a payload, `regions.user_addr` for one of the entries of an array."""
    for field in layout.fields:
        if field.parts:
            yield from (prefix + part.name for part in field.parts)
        else:
            yield prefix + field.name
    if layout.array is not None:
        yield from field_names(layout.array.entry, f"{prefix}{layout.array.name}.")
    if layout.tail is not None:
        yield prefix + layout.tail.field.name


_MASK = re.compile(r"mask (?:0x([0-9a-fA-F]{1,16})|(\d{1,20}))", re.ASCII)


def _rule(name: str, value: object) -> Rule:
    if isinstance(value, str):
        if match := _MASK.fullmatch(value):
            return Rule(How.MASKED, int(match[1], 16) if match[1] else int(match[2]))
        for how in How:
            if value == how.value and how is not How.MASKED:
                return Rule(how)
    raise PolicyError(
        f'{name!r}: {_short(value)} is not a rule; there are exact, ignored, related, "may add", "mask 0xff" (64 bits)'
    )


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits
        return "a number"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
