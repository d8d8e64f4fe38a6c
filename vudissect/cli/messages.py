"""`vudissect messages`: the message table, to read."""

from collections.abc import Iterator
from difflib import get_close_matches

import click

from vudissect.cli.errors import clear_errors, fail
from vudissect.render.table import markdown, message_detail, message_list
from vudissect.spec.table import UPSTREAM, plain_name


@click.command("messages")
@click.argument("name", required=False)
@click.option("--markdown", "as_markdown", is_flag=True, help="The whole table as a page of documentation.")
def command(name: str | None, as_markdown: bool) -> None:
    """Print the message table, or all about the messages called NAME.

    NAME is a name, an old name, a number or a pattern (SET_VRING_*); VHOST_USER_ in front may stay.
    """
    with clear_errors("messages"):
        for line in markdown(UPSTREAM) if as_markdown else _text(name):
            click.echo(line)


def _text(name: str | None) -> Iterator[str]:
    if name is None:
        return message_list(UPSTREAM.messages)
    found = UPSTREAM.find(name)
    if not found:
        names = {spelling for row in UPSTREAM.messages for spelling in (row.name, *row.aliases)}
        near = get_close_matches(plain_name(name), names, n=3)
        fail(f"no message {name!r}; " + (f"near it: {', '.join(near)}" if near else "vudissect messages lists them"))
    if len(found) > 1 and not name.isdecimal():
        return message_list(found)
    return (line for row in found for line in (*message_detail(row), ""))
