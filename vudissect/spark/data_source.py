"""The data source: what Spark asks of it, answered with the tables of captures."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyspark.sql.datasource import (
    DataSource,
    DataSourceReader,
    EqualTo,
    Filter,
    In,
    InputPartition,
    StringContains,
    StringEndsWith,
    StringStartsWith,
)
from pyspark.sql.types import BooleanType, DataType, DecimalType, LongType, StringType, StructField, StructType

from vudissect.spark.batches import ALL, table_batches
from vudissect.spark.paths import captures_at
from vudissect.tables.schema import MESSAGES, Table, Type
from vudissect.tables.tasks import tasks

_TYPES: dict[Type, DataType] = {
    Type.TEXT: StringType(),
    Type.INTEGER: LongType(),
    Type.WORD: DecimalType(20, 0),
    Type.TIME: LongType(),
    Type.FLAG: BooleanType(),
}
_FILE = ("file",)
# What is read in a few seconds.
_BYTES_OF_A_TASK = 16 << 20


class VhostUser(DataSource):
    """The tables of capture files. The option `table` is the name of one; `messages` without it."""

    @classmethod
    def name(cls) -> str:
        """The name of the format."""
        return "vhost_user"

    def schema(self) -> StructType:
        """All columns of the table."""
        return StructType([StructField(column.name, _TYPES[column.type]) for column in self._table.columns])

    def reader(self, schema: StructType) -> "Reader":
        """A reader of these columns; `ValueError` if the table does not have one of them."""
        known = {column.name for column in self._table.columns}
        for field in schema.fields:
            if field.name not in known:
                raise ValueError(f"{self._table.name} has no column {field.name}: docs/tables.md has the columns")
        return Reader(captures_at(self._paths), self._table.name, schema.names)

    @property
    def _table(self) -> Table:
        name = self.options.get("table", MESSAGES.name)
        if name not in ALL:
            raise ValueError(f"there is no table {name}: use {', '.join(ALL)}")
        return ALL[name]

    @property
    def _paths(self) -> list[str]:
        several = self.options.get("paths")
        paths = json.loads(several) if several is not None else [self.options.get("path", "")]
        if not all(paths):
            raise ValueError("name the captures: .load(FILE|FOLDER|PATTERN)")
        return [str(path).removeprefix("file://") for path in paths]


class Reader(DataSourceReader):
    """Reads columns of a table from captures."""

    def __init__(self, captures: Sequence[str], table: str, columns: Sequence[str]) -> None:
        """`table` is a name: a reader is pickled, and tables are compared by identity."""
        self._captures = captures
        self._table = table
        self._columns = columns

    def pushFilters(self, filters: list[Filter]) -> Iterable[Filter]:  # noqa: N802
        """Leave out captures that no row is wanted of. Spark filters the rows."""
        for each in filters:
            self._captures = [capture for capture in self._captures if _may_match(each, capture)]
        return filters

    def partitions(self) -> Sequence[InputPartition]:
        """One for each task."""
        return [InputPartition(task) for task in tasks(self._captures, _BYTES_OF_A_TASK)]

    def read(self, partition: InputPartition) -> Iterator[Any]:
        """The rows of the captures of a task, as Arrow batches."""
        return table_batches(partition.value or (), ALL[self._table], self._columns)


def _may_match(wanted: Filter, capture: str) -> bool:
    """Whether rows of a capture may match a filter."""
    if getattr(wanted, "attribute", None) != _FILE:
        return True
    match wanted:
        case EqualTo():
            return bool(capture == wanted.value)
        case In():
            return capture in wanted.value
        case StringStartsWith():
            return capture.startswith(wanted.value)
        case StringEndsWith():
            return capture.endswith(wanted.value)
        case StringContains():
            return wanted.value in capture
    return True
