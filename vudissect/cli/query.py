"""`vudissect query`: SQL on what `vudissect export` wrote."""

import click

from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.output import write
from vudissect.export.errors import ExportError
from vudissect.export.folder import Folder
from vudissect.render.columns import column_lines, row_objects


@click.command(
    "query",
    cls=Command,
    examples=[
        ("Which rules are broken most", "vudissect query 'SELECT rule, count(*) FROM findings GROUP BY rule' tables"),
        ("Which captures could not be read", "vudissect query 'FROM captures WHERE problem IS NOT NULL' tables"),
    ],
)
@click.argument("sql")
@click.argument("folder_name", type=FILE, metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
def command(sql: str, folder_name: str, as_json: bool) -> None:
    """Run SQL on the tables in DIR that vudissect export wrote, with DuckDB.

    Besides the tables there is `captures`: what was exported, and what is wrong with it. docs/fleet.md has questions
    with their SQL.
    """
    try:
        from vudissect.export.query import query
    except ModuleNotFoundError:
        fail("query needs DuckDB: pip install 'vudissect[fleet]'")
    with clear_errors(folder_name):
        try:
            result = query(sql, Folder.open(folder_name))
            write(row_objects(*result) if as_json else column_lines(*result))
        except ExportError as error:
            fail(str(error))
