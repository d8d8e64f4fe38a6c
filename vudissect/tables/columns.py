"""Columns of values, and tables of them."""

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vudissect.tables.schema import Table

Value = str | int | bool | None
Row = tuple[Value, ...]


class Coded:
    """A column that has few different values: of each row, the position of its value in `values`."""

    __slots__ = ("codes", "values")

    def __init__(self, codes: "array[int]", values: Sequence[Value]) -> None:
        self.codes = codes
        self.values = values

    def __iter__(self) -> Iterator[Value]:
        return map(self.values.__getitem__, self.codes)


Column = Sequence[Value] | Coded
"""The values of a column, by row. An `array` has only integers."""


class Batch(NamedTuple):
    """Some rows of a table, as columns in the order of its schema."""

    table: Table
    columns: Sequence[Column]
    size: int

    @property
    def rows(self) -> list[Row]:
        """The same as rows."""
        return list(zip(*self.columns, strict=True))


def batch_of(table: Table, rows: Sequence[Row]) -> Batch:
    """A batch of at least one row."""
    return Batch(table, list(zip(*rows, strict=True)), len(rows))
