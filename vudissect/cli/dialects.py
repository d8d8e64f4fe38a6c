"""`vudissect dialects`: list the dialects, or describe one."""

import click

from vudissect.cli.command import Command
from vudissect.cli.completion import dialects
from vudissect.cli.errors import clear_errors
from vudissect.cli.known import known_dialect
from vudissect.cli.output import say
from vudissect.render.dialects import dialect_detail, dialect_list, markdown


@click.command(
    "dialects",
    cls=Command,
    examples=[
        ("All dialects", "vudissect dialects"),
        ("How one of them differs from upstream", "vudissect dialects mst-2015"),
    ],
)
@click.argument("name", required=False, shell_complete=dialects)
@click.option("--markdown", "as_markdown", is_flag=True, help="All dialects as a page of documentation.")
def command(name: str | None, as_markdown: bool) -> None:
    """List the dialects of the protocol, or print how the one called NAME differs from upstream."""
    with clear_errors("dialects"):
        lines = markdown() if as_markdown else dialect_list() if name is None else dialect_detail(known_dialect(name))
        for line in lines:
            say(line)
