"""`vudissect messages`: print the message table."""

from collections.abc import Iterator
from typing import NoReturn

import click

from vudissect.cli.command import Command
from vudissect.cli.completion import dialects
from vudissect.cli.completion import messages as message_names
from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.known import known_dialect
from vudissect.cli.output import say
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.spelling import did_you_mean
from vudissect.protocol.table import UPSTREAM, Protocol, plain_name
from vudissect.render.dialects import elsewhere, meaning_detail
from vudissect.render.table import markdown, message_detail, message_list


@click.command(
    "messages",
    cls=Command,
    examples=[
        ("All about a message, by its number or name", "vudissect messages 41"),
        ("Messages by a pattern", "vudissect messages 'SET_VRING_*'"),
        ("The table of a fork", "vudissect messages --dialect mst-2015"),
    ],
)
@click.argument("name", required=False, shell_complete=message_names)
@click.option(
    "--dialect",
    metavar="NAME",
    shell_complete=dialects,
    help="The table of this dialect (vudissect dialects lists them).",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="The whole table as a page of documentation.")
def command(name: str | None, dialect: str | None, as_markdown: bool) -> None:
    """Print the message table, or all about the messages called NAME.

    NAME is a name, an old name, a number or a pattern (SET_VRING_*), with or without VHOST_USER_. For a number the
    meanings in other dialects are printed too, unless one is chosen.
    """
    with clear_errors("messages"):
        protocol = UPSTREAM if dialect is None else known_dialect(dialect).protocol
        if as_markdown:
            lines = markdown(protocol)
        elif name is None:
            lines = message_list(protocol.messages)
        else:
            lines = _about(name, protocol, everywhere=dialect is None)
        for line in lines:
            say(line)


def _about(name: str, protocol: Protocol, *, everywhere: bool) -> Iterator[str]:
    found = protocol.find(name)
    others = elsewhere(name) if everywhere else {}
    if not name.isdecimal():
        # For a name, list where else it occurs, not the other forms of the same message.
        places = {(row.channel, row.id) for row in found}
        others = {row: dialects for row, dialects in others.items() if (row.channel, row.id) not in places}
        if len(found) > 1:
            return message_list(found)
    if not found and not others:
        _unknown(name, [dialect.protocol for dialect in DIALECTS] if everywhere else [protocol])
    details = [message_detail(row) for row in found]
    details += [meaning_detail(row, dialects) for row, dialects in others.items()]
    return (line for detail in details for line in (*detail, ""))


def _unknown(name: str, protocols: list[Protocol]) -> NoReturn:
    rows = (row for protocol in protocols for row in protocol.messages)
    names = {spelling for row in rows for spelling in (row.name, *row.aliases)}
    fail(f"unknown message {name!r}; {did_you_mean(plain_name(name), names, 'vudissect messages lists them')}")
