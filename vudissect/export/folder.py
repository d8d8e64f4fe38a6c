"""The directory of an export: a folder for each table, with one file for each group of captures that has rows; of a
very long capture with several, which are numbered.

Small captures are in groups, because a hundred thousand files are too many for every engine. If the export is
partitioned, the files are in folders such as `day=2026-01-31/`, as engines expect them.

What was exported of a group is noted in `captures/`, last, with one line for each capture. Files get their name when
they are whole.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from glob import escape, iglob
from hashlib import sha256
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

from vudissect.export.errors import ExportError
from vudissect.tables.schema import SCHEMA_VERSION, TABLES, Table

FORMATS = ("parquet", "csv", "jsonl")
PARTITIONS = ("day", "host", "pair")
"""By what an export can be partitioned: the day (UTC) on which a capture begins, its folder, and its first programs."""
NOTES = "captures"
"""The folder of the notes."""

_ABOUT = "export.json"
# Of the folders and files: 2 since small captures share files.
_LAYOUT = 2
_LONGEST_NAME = 80
_GROUP = re.compile(r"(.+-[0-9a-f]{16})(?:-\d+)?\.\w+")
# As engines name the folder of rows without a value.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

Partition = Mapping[str, str]
"""The values of a capture for what an export is partitioned by; "" is unknown."""


class Note(NamedTuple):
    """What is noted of a capture: its size (bytes) and time (ns) then, and what was found in it.

    `id` is the same however the capture is named; `file` is how it was, in its rows. `problem` is why it could not be
    read to its end, "" if it was; `withheld_findings` counts repetitions of findings that have no row.
    """

    id: str
    file: str
    size_bytes: int
    changed_ns: int
    problem: str
    withheld_findings: int
    messages: int


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
        about = {"schema_version": SCHEMA_VERSION, "layout": _LAYOUT, "format": form, "partition": list(partition)}
        with replaced(os.path.join(path, _ABOUT)) as output:
            output.write(json.dumps(about).encode())
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
        if about.get("layout") != _LAYOUT:
            raise ExportError(
                f"{path}: another release made this export, with other files: export the captures again into another "
                "directory"
            )
        partition = about.get("partition", [])
        if not isinstance(partition, list) or not set(partition) <= set(PARTITIONS):
            raise ExportError(f"{path}: this export is partitioned by {partition!r}, which this release does not know")
        return cls(path, form, partition)

    @contextmanager
    def outputs(self, group: str) -> Iterator[Callable[[Table, Partition], BinaryIO]]:
        """Opens the next file of a table for the rows of a group, to be closed by the caller; the files get their names
        if the block succeeds."""
        opened: dict[str, BinaryIO] = {}
        parts: Counter[str] = Counter()

        def output(table: Table, partition: Partition) -> BinaryIO:
            place = self._place(table, partition)
            number = f"-{parts[place] + 1}" if parts[place] else ""
            parts[place] += 1
            if self.partition:
                os.makedirs(place, exist_ok=True)
            name = os.path.join(place, f"{group}{number}.{self.form}")
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

    def notes(self) -> Iterator[tuple[str, list[Note]]]:
        """All groups, and what is noted of their captures."""
        for path in iglob(os.path.join(escape(self.path), NOTES, "*.json")):
            try:
                with open(path, encoding="utf-8") as lines:
                    notes = [Note(**json.loads(line)) for line in lines]
            except (ValueError, TypeError):
                continue  # damaged: the group is exported again
            yield os.path.basename(path).removesuffix(".json"), notes

    def note(self, group: str, notes: Iterable[Note]) -> None:
        """Note that the captures of a group are done; without any, there is no such group."""
        path = os.path.join(self.path, NOTES, f"{group}.json")
        lines = [json.dumps(note._asdict()) for note in notes]
        if not lines:
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        with replaced(path) as output:
            output.write("".join(f"{line}\n" for line in lines).encode())

    def files(self, group: str = "") -> Iterator[tuple[Table, str]]:
        """The tables and paths of the files of a group, or of all groups."""
        for table in TABLES:
            folders = ["*"] * len(self.partition)
            for path in iglob(os.path.join(escape(self.path), table.name, *folders, f"{group}*.{self.form}")):
                yield table, path

    def pattern(self, table: Table) -> str:
        """A pattern for the files of a table, relative to the directory."""
        return os.path.join(table.name, *("*" for _ in self.partition), f"*.{self.form}")

    def _place(self, table: Table, partition: Partition) -> str:
        """The folder for rows of a table."""
        values = (f"{name}={quote(partition.get(name) or _NO_VALUE, safe='@,+ ')}" for name in self.partition)
        return os.path.join(self.path, table.name, *values)

    def _sweep(self) -> None:
        """Remove what an export that was killed has not finished: files without a name, and groups without a note."""
        for unfinished in iglob(os.path.join(escape(self.path), "**", ".*.part"), recursive=True):
            os.unlink(unfinished)
        noted = {group for group, _ in self.notes()}
        for _, file in self.files():
            group = _GROUP.fullmatch(os.path.basename(file))
            if group is not None and group[1] not in noted:
                os.unlink(file)


def id_of(file: str) -> str:
    """An id of a capture, the same however it is named."""
    return _name([file])


def group_of(files: Sequence[str]) -> str:
    """The name of a group of captures."""
    return _name(files)


def _name(files: Sequence[str]) -> str:
    paths = [os.path.realpath(file) for file in files]
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", os.path.basename(paths[0]))[:_LONGEST_NAME]
    more = f"+{len(paths) - 1}" if len(paths) > 1 else ""
    return f"{readable.lstrip('.')}{more}-{sha256(os.fsencode(chr(0).join(paths))).hexdigest()[:16]}"


@contextmanager
def replaced(path: str) -> Iterator[BinaryIO]:
    """Write a file, which gets its name if the block succeeds."""
    try:
        with open(_unfinished(path), "wb") as output:
            yield output
        os.replace(_unfinished(path), path)
    except BaseException:
        with suppress(OSError):
            os.unlink(_unfinished(path))
        raise


def _unfinished(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.part")


def _read_json(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as stream:
        try:
            contents = json.load(stream)
        except ValueError:
            return {}
    return contents if isinstance(contents, dict) else {}
