"""Tables as CSV and as JSON lines."""

import csv
import io
import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from vudissect.tables.columns import Batch, Row, Value
from vudissect.tables.schema import Table, Type

_SECOND = 1_000_000_000
# A payload can be longer than the limit of the module.
_LARGEST_FIELD = (1 << 31) - 1


class CsvWriter:
    """A table as CSV, with a line of names."""

    def __init__(self, table: Table, output: BinaryIO) -> None:
        self._texts = _conversions(table)
        self._output = output
        self._lines([[column.name for column in table.columns]])

    def write(self, batch: Batch) -> None:
        """Write rows."""
        self._lines([_converted(row, self._texts) for row in batch.rows])

    @staticmethod
    def copy(table: Table, path: str, output: BinaryIO, without: Collection[str]) -> None:
        """Copy the file of a table without the rows of some captures."""
        csv.field_size_limit(_LARGEST_FIELD)
        with open(path, encoding="utf-8", newline="") as lines:
            names, *rows = csv.reader(lines)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([names, *(row for row in rows if row[0] not in without)])
        output.write(text.getvalue().encode())

    def _lines(self, rows: Sequence[Sequence[Value]]) -> None:
        text = io.StringIO()
        # Flags as in JSON, and a null is empty.
        csv.writer(text, lineterminator="\n").writerows(
            [str(value).lower() if isinstance(value, bool) else value for value in row] for row in rows
        )
        self._output.write(text.getvalue().encode())

    def close(self) -> None:
        """Write what is left: nothing."""


class JsonWriter:
    """A table as one JSON object per row."""

    def __init__(self, table: Table, output: BinaryIO) -> None:
        self._names = [column.name for column in table.columns]
        self._texts = _conversions(table)
        self._output = output
        self._dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

    def write(self, batch: Batch) -> None:
        """Write rows."""
        lines = [self._dumps(dict(zip(self._names, _converted(row, self._texts), strict=True))) for row in batch.rows]
        self._output.write("".join(f"{line}\n" for line in lines).encode())

    @staticmethod
    def copy(table: Table, path: str, output: BinaryIO, without: Collection[str]) -> None:
        """Copy the file of a table without the rows of some captures."""
        with open(path, "rb") as lines:
            output.writelines(line for line in lines if json.loads(line)["file"] not in without)

    def close(self) -> None:
        """Write what is left: nothing."""


_Conversions = Sequence[tuple[int, Callable[[int], str]]]


def _conversions(table: Table) -> _Conversions:
    """The positions of the values that are written as text, and how."""
    return [(position, time_text) for position, column in enumerate(table.columns) if column.type is Type.TIME]


def _converted(row: Row, conversions: _Conversions) -> list[Value]:
    values = list(row)
    for position, convert in conversions:
        value = values[position]
        if isinstance(value, int):
            values[position] = convert(value)
    return values


def time_text(time: int) -> str:
    """A time (ns since the epoch) as `2026-01-31 13:37:00.123456789`, UTC."""
    seconds, nanoseconds = divmod(time, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{nanoseconds:09}"
