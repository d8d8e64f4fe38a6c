"""Tables as Parquet, through pyarrow: one row group per batch."""

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


class ParquetWriter:
    """A table as Parquet."""

    def __init__(self, table: Table, output: BinaryIO) -> None:
        fields = [(column.name, _TYPES[column.type]) for column in table.columns]
        self._schema = pyarrow.schema(fields, metadata={"vudissect_schema_version": str(SCHEMA_VERSION)})
        self._writer = pyarrow.parquet.ParquetWriter(output, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows, as a row group."""
        by_column = zip(self._schema, zip(*rows, strict=True), strict=True)
        columns = [pyarrow.array(values, field.type) for field, values in by_column]
        self._writer.write_table(pyarrow.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Write the end of the file."""
        self._writer.close()
