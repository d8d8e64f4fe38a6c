"""How closely a value must match the recorded one: defaults by its meaning, and overrides by the user."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.model import Channel, Field, Layout, Meaning, Row
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.spelling import did_you_mean
from vudissect.protocol.table import plain_name

# What is compared besides the payload, under the names that `vudissect show --json` uses.
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

# How much of an invalid rule an error quotes.
_MAX_QUOTED = 80

# The name, in place of a message, for the end of a connection or channel.
CONNECTION = "connection"
CLOSE = "close"


class How(StrEnum):
    """How the value in a live message must relate to the recorded one."""

    EXACT = "exact"
    IGNORED = "ignored"
    MASKED = "mask"  # equal in the bits of the mask
    ADDED = "may add"  # at least the recorded bits
    AT_LEAST = "at least"  # the recorded number or a larger one
    RELATED = "related"  # the same meaning in this session as the recorded value in its own
    OPTIONAL = "optional"  # of a whole message: it may be missing, and it may be there without being recorded


class Rule(NamedTuple):
    """How a value is compared; only `How.MASKED` uses `mask`."""

    how: How
    mask: int = -1

    def __str__(self) -> str:
        return f"{self.how.value} {self.mask:#x}" if self.how is How.MASKED else self.how.value


EXACT = Rule(How.EXACT)
IGNORED = Rule(How.IGNORED)
RELATED = Rule(How.RELATED)
OPTIONAL = Rule(How.OPTIONAL)
_AT_LEAST = Rule(How.AT_LEAST)

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
    """An invalid policy; the text is one line."""


class Override(NamedTuple):
    """A rule for the fields whose names match; `message` and `field` are patterns with `*`.

    The field is "" if the rule is `OPTIONAL`, which is about whole messages.
    """

    message: str
    field: str
    rule: Rule

    def covers(self, message: str, field: str) -> bool:
        """Whether it applies to this field (`regions.user_addr`) of this message."""
        whole_message = self.rule.how is How.OPTIONAL
        return whole_message == (not field) and fnmatchcase(message, self.message) and fnmatchcase(field, self.field)


class Policy:
    """The rule for every field of every message; the last override that matches is used."""

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

    def of_message(self, row: Row, name: str) -> Rule:
        """The rule for a part that every message has: flags, size, descriptors."""
        if not row.known:
            return EXACT
        rule = self.named(row.name, name)
        if rule is not None:
            return rule
        # Some back-ends do not initialise these flags.
        if row.channel is Channel.GPU and name in (VERSION, REPLY, NEED_REPLY, RESERVED):
            return IGNORED
        return EXACT

    def named(self, message: str, field: str) -> Rule | None:
        """The user's rule for a field of a message; None if there is none."""
        for override in reversed(self._overrides):
            if override.covers(message, field):
                return override.rule
        return None

    def is_optional(self, message: str) -> bool:
        """Whether a message of this name may be missing, and may be there without being recorded."""
        return self.named(message, "") is not None


def _default(row: Row, layout: Layout, field: Field, reply: bool) -> Rule:
    if row.purpose is Purpose.READ_CONFIG and field.meaning is Meaning.CONFIG and not reply:
        return IGNORED  # the request only reserves room for the contents
    if row.purpose is Purpose.COUNT_MEMORY_SLOTS and layout in row.reply:
        return _AT_LEAST  # the front-end needs no more than it used then
    return _BY_MEANING.get(field.meaning, EXACT)


def overrides_of_file(text: str, name: str) -> tuple[Override, ...]:
    """The overrides in a policy file; errors (`PolicyError`) call it `name`.

    It is TOML: a table `policy` with lines `"MESSAGE.FIELD" = "RULE"` and `"MESSAGE" = "optional"`.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{name}: not TOML: {error}") from None
    rules = content.get("policy")
    if not isinstance(rules, Mapping) or len(content) != 1:
        raise PolicyError(f'{name}: write [policy], and below it lines like "MESSAGE.FIELD" = "ignored"')
    return tuple(override(path, _rule(path, value)) for path, value in _flat(rules))


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, object]]:
    """The lines of a table; without quotation marks, TOML reads a dot in a name as a nested table."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def allow(text: str) -> Override:
    """What `--allow` means: any value of `MESSAGE.FIELD`, or that `MESSAGE` is optional; errors as in `override`."""
    return override(text, IGNORED if "." in text else OPTIONAL)


def override(text: str, rule: Rule) -> Override:
    """A rule for `MESSAGE.FIELD`, or `OPTIONAL` for `MESSAGE`; `PolicyError` if no message of any dialect is meant."""
    message, dot, field = text.partition(".")
    if rule.how is How.OPTIONAL:
        if dot:
            raise PolicyError(f"{text!r}: only whole messages are optional; write {message} without a field")
        _rows(text, message)
        return Override(plain_name(message), "", rule)
    if not dot or not message or not field:
        raise PolicyError(f'{text!r}: write MESSAGE.FIELD, a message and a field, or MESSAGE = "optional"')
    if (message.lower(), field) == (CONNECTION, CLOSE):
        return Override(CONNECTION, CLOSE, rule)
    known = {known for row in _rows(text, message) for known in _field_names(row)}
    if not any(fnmatchcase(known_name, field) for known_name in known):
        fields = ", ".join(sorted(known - _OF_ANY_MESSAGE)) or "none of its own"
        near = did_you_mean(field, known, f"its fields: {fields}")
        raise PolicyError(f"{text!r}: {message} has no field {field}; {near}")
    return Override(plain_name(message), field, rule)


def _rows(text: str, message: str) -> Sequence[Row]:
    """The messages that a name or pattern means, in all dialects; `PolicyError` quotes `text` if there are none."""
    name = plain_name(message)
    rows = [row for dialect in DIALECTS for row in dialect.protocol.messages if fnmatchcase(row.name, name)]
    if not rows:
        known = [row.name for dialect in DIALECTS for row in dialect.protocol.messages]
        near = did_you_mean(name, known, "vudissect messages lists them")
        raise PolicyError(f"{text!r}: unknown message {message}; {near}")
    return rows


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
        f'{name!r}: {_short(value)} is not a rule; use exact, ignored, related, "may add", "at least" or "mask 0xff" '
        "(64 bits), or optional for a whole message"
    )


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number with thousands of digits
        return "a number"
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"
