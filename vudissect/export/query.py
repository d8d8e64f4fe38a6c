"""SQL on an export, through DuckDB: each table is a view, and so is `captures`, what was noted of each capture."""

import os
from collections.abc import Iterator, Sequence
from glob import escape, iglob
from typing import Any, NamedTuple

import duckdb

from vudissect.export.errors import ExportError
from vudissect.export.folder import NOTES, Folder
from vudissect.tables.schema import CAPTURES, ERRORS, TABLES, Table, Type

_TYPES = {
    Type.TEXT: "VARCHAR",
    Type.INTEGER: "BIGINT",
    Type.WORD: "UBIGINT",
    Type.TIME: "TIMESTAMP_NS",
    Type.FLAG: "BOOLEAN",
}
_OUR_CSV = """header = true, auto_detect = false, delim = ',', quote = '"', escape = '"'"""
_MOST_ROWS = 1024


class Result(NamedTuple):
    """The result of a query: names of columns, and rows as they come."""

    names: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


def query(sql: str, folder: Folder) -> Result:
    """Run SQL on an export. `ExportError` with the reason if it fails."""
    connection = duckdb.connect()
    try:
        for table in TABLES:
            connection.execute(f"CREATE VIEW {table.name} AS {_select(folder, table)}")
        connection.execute(f"CREATE VIEW {CAPTURES.name} AS {_notes(folder)}")
        connection.execute(
            f"CREATE VIEW {ERRORS.name} AS SELECT file, problem FROM {CAPTURES.name} WHERE problem IS NOT NULL"
        )
        connection.execute(sql)
        names = [str(column[0]) for column in connection.description or ()]
    except duckdb.Error as error:
        raise ExportError(_one_line(error)) from None
    return Result(names, _rows(connection))


def _rows(connection: Any) -> Iterator[tuple[Any, ...]]:
    try:
        while rows := connection.fetchmany(_MOST_ROWS):
            yield from rows
    except duckdb.Error as error:
        raise ExportError(_one_line(error)) from None


def _select(folder: Folder, table: Table) -> str:
    columns = _columns(table)
    pattern = folder.pattern(table)
    if next(iglob(pattern, root_dir=folder.path), None) is None:
        return _nothing(columns | dict.fromkeys(folder.partition, "VARCHAR"))
    files = _quoted(os.path.join(escape(folder.path), pattern))
    hive = ""
    if folder.partition:
        hive = f", hive_partitioning = true, hive_types = {_types(dict.fromkeys(folder.partition, 'VARCHAR'))}"
    if folder.form == "parquet":
        return f"SELECT * FROM read_parquet({files}, union_by_name = true{hive})"
    types = _types(columns)
    if folder.form == "csv":
        return f"SELECT * FROM read_csv({files}, {_OUR_CSV}, columns = {types}{hive})"
    return f"SELECT * FROM read_json({files}, format = 'newline_delimited', columns = {types}{hive})"


def _notes(folder: Folder) -> str:
    columns = _columns(CAPTURES)
    place = os.path.join(folder.path, NOTES)
    if not any(name.endswith(".json") for name in os.listdir(place)):
        return _nothing(columns)
    shown = ", ".join("nullif(problem, '') AS problem" if name == "problem" else name for name in columns)
    files = _quoted(os.path.join(escape(place), "*.json"))
    return f"SELECT {shown} FROM read_json({files}, format = 'newline_delimited', columns = {_types(columns)})"


def _columns(table: Table) -> dict[str, str]:
    return {column.name: _TYPES[column.type] for column in table.columns}


def _nothing(columns: dict[str, str]) -> str:
    return f"SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in columns.items())} WHERE false"


def _types(columns: dict[str, str]) -> str:
    return f"{{{', '.join(f'{_quoted(name)}: {_quoted(kind)}' for name, kind in columns.items())}}}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
