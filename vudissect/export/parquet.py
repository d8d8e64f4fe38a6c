"""Tables as Parquet, through pyarrow."""

from collections.abc import Collection
from typing import BinaryIO

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from vudissect.tables.arrow import arrow_array
from vudissect.tables.columns import Batch
from vudissect.tables.schema import SCHEMA_VERSION, Table, Type

_TYPES = {
    Type.TEXT: pyarrow.string(),
    Type.INTEGER: pyarrow.int64(),
    Type.WORD: pyarrow.uint64(),
    # Without a zone: databases keep the nanoseconds only of those.
    Type.TIME: pyarrow.timestamp("ns"),
    Type.FLAG: pyarrow.bool_(),
}
_FEW = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())

# As many as engines read at once. Of each row group, the writer remembers 14 KiB until the file is closed.
_ROWS_IN_A_GROUP = 1 << 17
# As many as these rows usually have; those of pictures have more.
_BYTES_IN_A_GROUP = 32 << 20


class ParquetWriter:
    """A table as Parquet, in row groups."""

    def __init__(self, table: Table, output: BinaryIO) -> None:
        fields = [(column.name, _FEW if column.few else _TYPES[column.type]) for column in table.columns]
        self._schema = pyarrow.schema(fields)
        # Numbers and times that rise take a byte each as differences, and less time to write than in a dictionary.
        rising = [column.name for column in table.columns if column.type in (Type.INTEGER, Type.TIME)]
        self._writer = pyarrow.parquet.ParquetWriter(
            output,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in self._schema.names if name not in rising],
            column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
            # Readers get text from all columns of text: that some were dictionaries here does not concern them.
            store_schema=False,
        )
        self._writer.add_key_value_metadata({"vudissect_schema_version": str(SCHEMA_VERSION)})
        self._group: list[pyarrow.RecordBatch] = []
        self._rows = self._bytes = 0

    def write(self, batch: Batch) -> None:
        """Add rows; a row group is written when it is complete."""
        columns = [arrow_array(column, kind) for column, kind in zip(batch.columns, self._schema.types, strict=True)]
        rows = pyarrow.record_batch(columns, schema=self._schema)
        self._group.append(rows)
        self._rows += batch.size
        self._bytes += rows.nbytes
        if self._rows >= _ROWS_IN_A_GROUP or self._bytes >= _BYTES_IN_A_GROUP:
            self._write_group()

    @staticmethod
    def copy(table: Table, path: str, output: BinaryIO, without: Collection[str]) -> None:
        """Copy the file of a table without the rows of some captures."""
        rows = pyarrow.parquet.ParquetFile(path).read()
        unwanted = pyarrow.compute.is_in(rows["file"], value_set=pyarrow.array(list(without)))
        rows = rows.filter(pyarrow.compute.invert(unwanted))
        writer = ParquetWriter(table, output)
        few = [column.few for column in table.columns]
        columns = [column.dictionary_encode() if is_few else column for column, is_few in zip(rows, few, strict=True)]
        writer._writer.write_table(pyarrow.Table.from_arrays(columns, schema=writer._schema))
        writer.close()

    def _write_group(self) -> None:
        group = pyarrow.Table.from_batches(self._group, schema=self._schema).unify_dictionaries()
        self._group, self._rows, self._bytes = [], 0, 0
        self._writer.write_table(group, row_group_size=group.num_rows)

    def close(self) -> None:
        """Write the rest, and the end of the file."""
        try:
            if self._group:
                self._write_group()
            self._writer.close()
        finally:
            # After an error, or it tries again when it is collected, and prints that.
            self._writer.is_open = False
