"""Columns as arrays of Arrow; needs pyarrow."""

from array import array
from collections.abc import Sequence

import pyarrow

from vudissect.tables.columns import Coded, Column, Value


def arrow_array(column: Column, kind: "pyarrow.DataType") -> "pyarrow.Array":
    """The values of a column, as a type that can have them."""
    if isinstance(column, Coded):
        codes = arrow_array(column.codes, pyarrow.int64())
        if pyarrow.types.is_dictionary(kind):
            return _dictionary(codes, column.values, kind)
        return pyarrow.array(column.values, kind).take(codes)
    if isinstance(column, array):
        # As they are in memory, if the type has 64 bits as well.
        return pyarrow.Array.from_buffers(kind, len(column), [None, pyarrow.py_buffer(column)])
    return pyarrow.array(column, kind)


def _dictionary(
    codes: "pyarrow.Array", values: Sequence[Value], kind: "pyarrow.DictionaryType"
) -> "pyarrow.DictionaryArray":
    """A dictionary must have each value once, and no null."""
    places: dict[Value, int] = {}
    for value in values:
        if value is not None:
            places.setdefault(value, len(places))
    indices = pyarrow.array([places.get(value) for value in values], kind.index_type).take(codes)
    return pyarrow.DictionaryArray.from_arrays(indices, pyarrow.array(list(places), kind.value_type))
