"""A table of captures as Arrow batches."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence

import pyarrow

from vudissect.render.units import unicode
from vudissect.tables.arrow import arrow_array
from vudissect.tables.collect import Tables
from vudissect.tables.columns import Batch, batch_of
from vudissect.tables.read import UnreadableError, batches_of
from vudissect.tables.schema import ABOUT_CAPTURES, CAPTURES, ERRORS, FINDINGS, TABLES, Table, Type

ALL = {table.name: table for table in (*TABLES, *ABOUT_CAPTURES)}
"""All tables by name."""

# As Spark reads the Parquet files of an export, with `spark.sql.legacy.parquet.nanosAsLong` for times.
_TYPES = {
    Type.TEXT: pyarrow.string(),
    Type.INTEGER: pyarrow.int64(),
    Type.WORD: pyarrow.decimal128(20, 0),
    Type.TIME: pyarrow.int64(),
    Type.FLAG: pyarrow.bool_(),
}


def table_batches(captures: Iterable[str], table: Table, columns: Sequence[str]) -> Iterator["pyarrow.RecordBatch"]:
    """The rows of a table, with these columns. An unreadable capture is only in `captures` and `errors`."""
    places = [[column.name for column in table.columns].index(name) for name in columns]
    schema = pyarrow.schema([(table.columns[place].name, _TYPES[table.columns[place].type]) for place in places])
    for capture in captures:
        for batch in _batches(capture, table):
            arrays = [arrow_array(batch.columns[at], kind) for at, kind in zip(places, schema.types, strict=True)]
            yield pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _batches(capture: str, table: Table) -> Iterator[Batch]:
    name = unicode(capture)
    tables = Tables(name, _collected(table))
    try:
        for batch in batches_of(capture, tables):
            if batch.table is table:
                yield batch
        problem = tables.problem
    except UnreadableError as error:
        problem = str(error)
    if table is CAPTURES:
        yield batch_of(table, [(name, _size(capture), problem or None, tables.withheld)])
    elif table is ERRORS and problem:
        yield batch_of(table, [(name, problem)])


def _collected(table: Table) -> Collection[Table]:
    """What is collected to make a table."""
    if table is CAPTURES:
        return (FINDINGS,)  # for their repetitions
    return () if table is ERRORS else (table,)


def _size(capture: str) -> int | None:
    try:
        return os.stat(capture).st_size
    except OSError:
        return None
