"""Any rows as columns of text, and as JSON: the results of queries."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from vudissect.render.units import printable

# The widths are those of the first rows, so that the rest need not be kept.
_ROWS_TO_MEASURE = 1000


def column_lines(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The names and the rows, in columns; numbers are at the right. A null is a `-`."""
    rest = iter(rows)
    first = list(islice(rest, _ROWS_TO_MEASURE))
    right = [any(_is_number(row[place]) for row in first) for place in range(len(names))]
    texts = [list(map(_text, row)) for row in first]
    widths = [max(map(len, column)) for column in zip(names, *texts, strict=True)]
    for cells in chain([names], texts, (list(map(_text, row)) for row in rest)):
        padded = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(cells, widths, right, strict=True)
        )
        yield "  ".join(padded).rstrip() + "\n"


def row_objects(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Each row as a JSON object in a line; what JSON does not have, such as a time, is text."""
    for row in rows:
        yield json.dumps(dict(zip(names, row, strict=True)), default=str) + "\n"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))
