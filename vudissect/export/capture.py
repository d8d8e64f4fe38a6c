"""A group of captures to its files."""

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, NamedTuple, Protocol

from vudissect.capture.files import open_capture
from vudissect.export.errors import ExportError
from vudissect.export.folder import Folder, Note, Partition, group_of, id_of
from vudissect.render.units import unicode
from vudissect.tables.collect import Tables
from vudissect.tables.columns import Batch
from vudissect.tables.read import Open, UnreadableError, batches_of
from vudissect.tables.schema import MESSAGES, Table


class Outcome(NamedTuple):
    """What became of a capture: whether it had been done before, its messages, and what is wrong with it ("")."""

    file: str
    skipped: bool
    messages: int
    problem: str


# What a writer remembers of a file grows with it: of a longer capture, a table has several files.
ROWS_IN_A_FILE = 1 << 23


# Files of a group that are open at once: with many partitions, each capture may have others.
_MOST_OPEN = 64


class _Writer(Protocol):
    def write(self, batch: Batch, /) -> None: ...
    def close(self) -> None: ...


class Format(Protocol):
    """Called, it makes what writes the rows of a table to a file."""

    def __call__(self, table: Table, output: BinaryIO, /) -> _Writer:  # noqa: D102
        ...

    def copy(self, table: Table, path: str, output: BinaryIO, without: Collection[str], /) -> None:
        """Copy the file of a table without the rows of some captures."""


def format_of(form: str) -> Format:
    """What writes a table in a format. `ExportError` if its package is not installed."""
    if form == "parquet":
        try:
            from vudissect.export.parquet import ParquetWriter
        except ModuleNotFoundError:
            raise ExportError("Parquet needs pyarrow: pip install 'vudissect[parquet]', or use --format csv") from None
        return ParquetWriter
    from vudissect.export.text import CsvWriter, JsonWriter

    return CsvWriter if form == "csv" else JsonWriter


class _Files:
    """The files of a table for one partition, of at least `ROWS_IN_A_FILE` rows each, but for the last."""

    def __init__(self, make: Format, table: Table, output: Callable[[], BinaryIO]) -> None:
        self._make = partial(make, table)
        self._output = output
        self._begin()

    def _begin(self) -> None:
        self._file = self._output()
        self._writer = self._make(self._file)
        self._rows = 0

    def write(self, batch: Batch) -> None:
        if self._rows >= ROWS_IN_A_FILE:
            self.close()
            self._begin()
        self._writer.write(batch)
        self._rows += batch.size

    def close(self) -> None:
        self._writer.close()
        self._file.close()


class _Group:
    """Writes the rows of a group of captures."""

    def __init__(self, folder: Folder, output: Callable[[Table, Partition], BinaryIO]) -> None:
        self._make = format_of(folder.form)
        self._output = output
        # By the names of table and partition; the one that was written last comes last.
        self._open: dict[tuple[str, ...], _Files] = {}

    def write(self, batch: Batch, partition: Partition) -> None:
        key = (batch.table.name, *partition.values())
        files = self._open.pop(key, None)
        if files is None:
            files = _Files(self._make, batch.table, partial(self._output, batch.table, partition))
            if len(self._open) == _MOST_OPEN:
                self._open.pop(next(iter(self._open))).close()
        self._open[key] = files
        files.write(batch)

    def close(self) -> None:
        with ExitStack() as stack:
            for files in self._open.values():
                stack.callback(files.close)


def export_captures_together(files: Sequence[str], folder: Folder, opening: Open = open_capture) -> list[Outcome]:
    """Export captures as a group: all of them, or nothing. `OSError` if the tables cannot be written."""
    group, notes, outcomes = group_of(files), [], []
    with folder.outputs(group) as output, closing(_Group(folder, output)) as rows:
        for file in files:
            try:
                before = os.stat(file)
            except OSError as error:
                # Without a note: it may be there the next time.
                outcomes.append(Outcome(file, False, 0, error.strerror or str(error)))
                continue
            tables = Tables(unicode(file))
            try:
                with closing(batches_of(file, tables, opening)) as batches:
                    for batch in batches:
                        rows.write(batch, _partition(file, tables, folder))
                problem = tables.problem
            except UnreadableError as error:
                problem = str(error)
            messages = tables.counts[MESSAGES]
            about = (before.st_size, before.st_mtime_ns, problem, tables.withheld, messages)
            notes.append(Note(id_of(file), unicode(file), *about))
            outcomes.append(Outcome(file, False, messages, problem))
    folder.note(group, notes)
    return outcomes


def _partition(file: str, tables: Tables, folder: Folder) -> Partition:
    """Where the rows of a capture belong; known when its first connection has begun."""
    if not folder.partition:
        return {}
    begin = datetime.fromtimestamp(tables.started / 1e9, UTC).date().isoformat() if tables.started else ""
    values = {
        "day": begin,
        "host": unicode(os.path.basename(os.path.dirname(os.path.realpath(file)))),
        "pair": ",".join(map(unicode, tables.programs)) if any(tables.programs) else "",
    }
    return {name: values[name] for name in folder.partition}
