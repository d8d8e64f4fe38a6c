"""Messages in a filter: by name, old name, pattern or number, as the tables of all dialects have them."""

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

from vudissect.filter.errors import FilterError, Token, unknown
from vudissect.filter.values import Findings, Numbers, Predicate, number_of
from vudissect.protocol.model import Channel, Row
from vudissect.protocol.table import UPSTREAM, plain_name
from vudissect.session.event import Event

_MOST_NUMBER = (1 << 32) - 1


def rows() -> Iterator[Row]:
    """The rows of all dialects, upstream first; the others are created when they are needed."""
    yield from UPSTREAM.messages
    from vudissect.protocol.dialects import DIALECTS

    for dialect in DIALECTS:
        yield from dialect.protocol.messages


def spellings(row: Row) -> tuple[str, ...]:
    """The current and old names of a message."""
    return (row.name, *row.aliases)


def message(token: Token) -> Predicate:
    """The messages of a number, or whose name or old name matches.

    `FilterError` if no message of any dialect has such a name.
    """
    if token.text.isascii() and token.text.isdecimal():
        return _numbered(token)
    pattern = plain_name(token.text)
    matches = remembered(lambda row: any(fnmatchcase(name, pattern) for name in spellings(row)))
    if not any(matches(row) for row in rows()):
        raise unknown("message", token, [name for row in rows() for name in spellings(row)], pattern)

    def is_named(event: Event, _: Findings) -> bool:
        found = event.message
        return found is not None and found.row.known and matches(found.row)

    return is_named


def numbers(token: Token) -> Numbers:
    """The numbers that these messages have in any dialect."""
    number = number_of(token.text) if token.text.isdecimal() else None
    if number is not None:
        return frozenset((channel, number) for channel in Channel)
    pattern = plain_name(token.text)
    return frozenset(
        (row.channel, row.id) for row in rows() if any(fnmatchcase(name, pattern) for name in spellings(row))
    )


def names(event: Event, _: Findings) -> Iterable[str]:
    """The name of the message, if it has one."""
    message = event.message
    return () if message is None or message.row is None else (message.row.name,)


def _numbered(token: Token) -> Predicate:
    number = number_of(token.text)
    if number is None or number > _MOST_NUMBER:
        raise FilterError(token.column, f"{token} is too large for the number of a message")
    return lambda event, _: event.message is not None and event.message.id == number


def remembered(matches: Callable[[Row], bool]) -> Callable[[Row], bool]:
    """The same, evaluated once per row: there are few rows and many messages."""
    known: dict[Row, bool] = {}

    def ask(row: Row) -> bool:
        answer = known.get(row)
        if answer is None:
            answer = known[row] = matches(row)
        return answer

    return ask
