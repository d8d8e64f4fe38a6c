"""Columns as arrays of Arrow; needs pyarrow."""

from array import array

import pyarrow

from vudissect.tables.columns import Coded, Column


def arrow_array(column: Column, kind: "pyarrow.DataType") -> "pyarrow.Array":
    """The values of a column, as a type that can have them."""
    if isinstance(column, Coded):
        return pyarrow.array(column.values, kind).take(arrow_array(column.codes, pyarrow.int64()))
    if isinstance(column, array):
        # As they are in memory, if the type has 64 bits as well.
        return pyarrow.Array.from_buffers(kind, len(column), [None, pyarrow.py_buffer(column)])
    return pyarrow.array(column, kind)
