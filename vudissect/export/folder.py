"""The directory of an export: a folder for each table, with one file for each capture that has rows; of a very long
one with several, which are numbered.

If it is partitioned, the files are in folders such as `day=2026-01-31/`, as engines expect them.

What was exported of a capture is noted in `captures/`, last: a capture that has no note, or was changed since, is
exported again. Files get their name when they are whole.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from glob import escape, iglob
from hashlib import sha256
from itertools import count
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

from vudissect.export.errors import ExportError
from vudissect.render.units import unicode
from vudissect.tables.schema import SCHEMA_VERSION, TABLES, Table

FORMATS = ("parquet", "csv", "jsonl")
PARTITIONS = ("day", "host", "pair")
"""By what an export can be partitioned: the day (UTC) on which a capture begins, its folder, and its first programs."""
NOTES = "captures"
"""The folder of the notes."""

_ABOUT = "export.json"
_LONGEST_NAME = 80
# As engines name the folder of rows without a value.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

Partition = Mapping[str, str]
"""The values of a capture for what an export is partitioned by; "" is unknown."""
_NONE: Partition = MappingProxyType({})


class Note(NamedTuple):
    """What is noted of a capture: its size (bytes) and time (ns) then, and what was found in it.

    `problem` is why it could not be read to its end, "" if it was; `withheld_findings` counts repetitions of findings
    that have no row; `rows` has the number of rows by table. `partition` is where they are.
    """

    file: str
    size_bytes: int
    changed_ns: int
    problem: str
    withheld_findings: int
    rows: Mapping[str, int]
    partition: Partition = _NONE


class Folder:
    """An export. `ExportError` if the directory is something else, `OSError` if it cannot be used."""

    def __init__(self, path: str, form: str, partition: Sequence[str] = ()) -> None:
        self.path = path
        self.form = form
        self.partition = tuple(partition)

    @classmethod
    def begin(cls, path: str, form: str, partition: Sequence[str] = ()) -> "Folder":
        """A new export, or one to go on with. `partition` has some of `PARTITIONS`, outermost first."""
        os.makedirs(path, exist_ok=True)
        if os.path.exists(os.path.join(path, _ABOUT)):
            folder = cls.open(path)
            if folder.form != form:
                raise ExportError(
                    f"{path}: this export is {folder.form}: use --format {folder.form} or another directory"
                )
            if folder.partition != tuple(partition):
                options = " ".join(f"--partition {each}" for each in folder.partition) or "no --partition"
                raise ExportError(f"{path}: this export has another partition: use {options} or another directory")
            folder._sweep()
            return folder
        if os.listdir(path):
            raise ExportError(f"{path}: the directory is neither empty nor an export: use another one")
        folder = cls(path, form, partition)
        for name in (NOTES, *(table.name for table in TABLES)):
            os.makedirs(os.path.join(path, name), exist_ok=True)
        about = {"schema_version": SCHEMA_VERSION, "format": form, "partition": folder.partition}
        _write_json(os.path.join(path, _ABOUT), about)
        return folder

    @classmethod
    def open(cls, path: str) -> "Folder":
        """An export that exists."""
        try:
            about = _read_json(os.path.join(path, _ABOUT))
        except FileNotFoundError:
            raise ExportError(f"{path}: not an export: make one with vudissect export FILE... -o {path}") from None
        version, form = about.get("schema_version"), about.get("format")
        if version != SCHEMA_VERSION or form not in FORMATS:
            raise ExportError(
                f"{path}: this export has version {version!r} of the tables and format {form!r}, this release writes "
                f"version {SCHEMA_VERSION}: export the captures again into another directory"
            )
        partition = about.get("partition", [])
        if not isinstance(partition, list) or not set(partition) <= set(PARTITIONS):
            raise ExportError(f"{path}: this export is partitioned by {partition!r}, which this release does not know")
        return cls(path, form, partition)

    def _sweep(self) -> None:
        """Remove what an export that was killed has not finished."""
        for unfinished in iglob(os.path.join(escape(self.path), "**", ".*.part"), recursive=True):
            os.unlink(unfinished)

    def is_done(self, file: str) -> Note | None:
        """The note of a capture that has not changed since it was exported; None if it has to be exported."""
        try:
            note = Note(**_read_json(self._note(file)))
            now = os.stat(file)
        except (OSError, TypeError):
            return None
        return note if (note.size_bytes, note.changed_ns) == (now.st_size, now.st_mtime_ns) else None

    @contextmanager
    def outputs(self, file: str) -> Iterator[Callable[[Table, Partition], BinaryIO]]:
        """Opens the next file of a table for the rows of a capture; they get their names if the block succeeds."""
        opened: dict[str, BinaryIO] = {}
        parts: Counter[Table] = Counter()

        def output(table: Table, partition: Partition) -> BinaryIO:
            name = self.output(file, table, partition, parts[table])
            parts[table] += 1
            if self.partition:
                os.makedirs(os.path.dirname(name), exist_ok=True)
            opened[name] = made = open(_unfinished(name), "wb")  # noqa: SIM115
            return made

        try:
            yield output
            for made in opened.values():
                made.close()
            for name in opened:
                os.replace(_unfinished(name), name)
        except BaseException:
            for name, made in opened.items():
                with suppress(OSError):
                    made.close()
                with suppress(OSError):
                    os.unlink(_unfinished(name))
            raise

    def forget(self, file: str) -> None:
        """Remove what was exported of a capture."""
        try:
            partition = Note(**_read_json(self._note(file))).partition
        except (OSError, TypeError):
            partition = _NONE
        with suppress(FileNotFoundError):
            os.unlink(self._note(file))
        for table in TABLES:
            with suppress(FileNotFoundError):
                for part in count():
                    os.unlink(self.output(file, table, partition, part))

    def note(self, note: Note) -> None:
        """Note that a capture is done."""
        _write_json(self._note(note.file), note._asdict() | {"file": unicode(note.file)})

    def output(self, file: str, table: Table, partition: Partition, part: int = 0) -> str:
        """The path of a file that has rows of a capture in a table: the first one, or another `part`."""
        number = f"-{part + 1}" if part else ""
        values = (f"{name}={quote(partition.get(name) or _NO_VALUE, safe='@,+ ')}" for name in self.partition)
        return os.path.join(self.path, table.name, *values, f"{_name(file)}{number}.{self.form}")

    def pattern(self, table: Table) -> str:
        """A pattern for the files of a table, relative to the directory."""
        return os.path.join(table.name, *("*" for _ in self.partition), f"*.{self.form}")

    def _note(self, file: str) -> str:
        return os.path.join(self.path, NOTES, f"{_name(file)}.json")


def _name(file: str) -> str:
    """A name for the files of a capture, the same however the capture is named."""
    path = os.path.realpath(file)
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", os.path.basename(path))[:_LONGEST_NAME]
    return f"{readable.lstrip('.')}-{sha256(os.fsencode(path)).hexdigest()[:16]}"


def _unfinished(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.part")


def _write_json(path: str, contents: Mapping[str, Any]) -> None:
    with open(_unfinished(path), "w", encoding="utf-8") as output:
        json.dump(contents, output)
    os.replace(_unfinished(path), path)


def _read_json(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as stream:
        try:
            contents = json.load(stream)
        except ValueError:
            return {}
    return contents if isinstance(contents, dict) else {}
