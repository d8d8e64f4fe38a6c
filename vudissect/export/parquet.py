"""Tables as Parquet, through pyarrow."""

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow
import pyarrow.parquet

from vudissect.tables.rows import Row
from vudissect.tables.schema import SCHEMA_VERSION, Table, Type

_TYPES = {
    Type.TEXT: pyarrow.string(),
    Type.INTEGER: pyarrow.int64(),
    Type.WORD: pyarrow.uint64(),
    # Without a zone: databases keep the nanoseconds only of those.
    Type.TIME: pyarrow.timestamp("ns"),
    Type.FLAG: pyarrow.bool_(),
}


# As many as engines read at once. Of each row group, the writer remembers 14 KiB until the file is closed.
_ROWS_IN_A_GROUP = 1 << 17


class ParquetWriter:
    """A table as Parquet, in row groups."""

    def __init__(self, table: Table, output: BinaryIO) -> None:
        fields = [(column.name, _TYPES[column.type]) for column in table.columns]
        self._schema = pyarrow.schema(fields, metadata={"vudissect_schema_version": str(SCHEMA_VERSION)})
        self._writer = pyarrow.parquet.ParquetWriter(output, self._schema, compression="zstd")
        self._group: list[pyarrow.RecordBatch] = []
        self._rows = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows; a row group is written when it is complete."""
        by_column = zip(self._schema, zip(*rows, strict=True), strict=True)
        columns = [pyarrow.array(values, field.type) for field, values in by_column]
        self._group.append(pyarrow.record_batch(columns, schema=self._schema))
        self._rows += len(rows)
        if self._rows >= _ROWS_IN_A_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        group = pyarrow.Table.from_batches(self._group, schema=self._schema)
        self._group, self._rows = [], 0
        self._writer.write_table(group, row_group_size=group.num_rows)

    def close(self) -> None:
        """Write the rest, and the end of the file."""
        if self._group:
            self._write_group()
        self._writer.close()
