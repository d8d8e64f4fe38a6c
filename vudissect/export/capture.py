"""One capture to its files."""

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, NamedTuple, Protocol

from vudissect.capture.files import open_capture
from vudissect.export.errors import ExportError
from vudissect.export.folder import Folder, Note, Partition
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


class _Writer(Protocol):
    def write(self, batch: Batch, /) -> None: ...
    def close(self) -> None: ...


MakeWriter = Callable[[Table, BinaryIO], _Writer]


class _Files:
    """The files of a table for one capture, of at least `ROWS_IN_A_FILE` rows each, but for the last."""

    def __init__(self, make: Callable[[], _Writer]) -> None:
        self._make = make
        self._writer = make()
        self._rows = 0

    def write(self, batch: Batch) -> None:
        if self._rows >= ROWS_IN_A_FILE:
            self.close()
            self._writer, self._rows = self._make(), 0
        self._writer.write(batch)
        self._rows += batch.size

    def close(self) -> None:
        self._writer.close()


def writer_of(form: str) -> MakeWriter:
    """What writes a table in a format. `ExportError` if its package is not installed."""
    if form == "parquet":
        try:
            from vudissect.export.parquet import ParquetWriter
        except ModuleNotFoundError:
            raise ExportError("Parquet needs pyarrow: pip install 'vudissect[parquet]', or use --format csv") from None
        return ParquetWriter
    from vudissect.export.text import CsvWriter, JsonWriter

    return CsvWriter if form == "csv" else JsonWriter


def export_capture(file: str, folder: Folder, opening: Open = open_capture) -> Outcome:
    """Export a capture unless that was done. `OSError` if the tables cannot be written."""
    done = folder.is_done(file)
    if done is not None:
        return Outcome(file, True, done.rows.get(MESSAGES.name, 0), done.problem)
    try:
        before = os.stat(file)
    except OSError as error:
        return Outcome(file, False, 0, error.strerror or str(error))
    tables = Tables(unicode(file))
    folder.forget(file)
    try:
        _write(file, tables, folder, opening)
        problem = tables.problem
    except UnreadableError as error:
        problem = str(error)
    rows = {table.name: count for table, count in tables.counts.items()}
    partition = _partition(file, tables, folder)
    folder.note(Note(file, before.st_size, before.st_mtime_ns, problem, tables.withheld, rows, partition))
    return Outcome(file, False, tables.counts[MESSAGES], problem)


def _write(file: str, tables: Tables, folder: Folder, opening: Open) -> None:
    """Write all tables of a capture, or nothing."""
    make = writer_of(folder.form)
    written: dict[Table, _Files] = {}
    with closing(batches_of(file, tables, opening)) as batches, folder.outputs(file) as output, ExitStack() as stack:

        def new(table: Table) -> _Writer:
            return make(table, output(table, _partition(file, tables, folder)))

        for batch in batches:
            files = written.get(batch.table)
            if files is None:
                files = written[batch.table] = stack.enter_context(closing(_Files(partial(new, batch.table))))
            files.write(batch)


def _partition(file: str, tables: Tables, folder: Folder) -> Partition:
    """Where the rows of a capture belong; known when its first connection has begun."""
    begin = datetime.fromtimestamp(tables.started / 1e9, UTC).date().isoformat() if tables.started else ""
    values = {
        "day": begin,
        "host": unicode(os.path.basename(os.path.dirname(os.path.realpath(file)))),
        "pair": ",".join(map(unicode, tables.programs)) if any(tables.programs) else "",
    }
    return {name: values[name] for name in folder.partition}
