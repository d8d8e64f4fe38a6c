"""What an export has already: captures that have not changed since are not exported again."""

import os
from collections.abc import Iterable

from vudissect.export.capture import format_of
from vudissect.export.folder import Folder, Note, id_of, replaced


class Exported:
    """The captures that are in an export."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._groups = dict(folder.notes())
        self._notes = {note.id: (note, group) for group, notes in self._groups.items() for note in notes}

    def unchanged(self, file: str) -> Note | None:
        """The note of a capture that has not changed since it was exported; None if it has to be exported."""
        note, _ = self._notes.get(id_of(file), (None, ""))
        if note is None:
            return None
        try:
            now = os.stat(file)
        except OSError:
            return None
        return note if (note.size_bytes, note.changed_ns) == (now.st_size, now.st_mtime_ns) else None

    def forget(self, files: Iterable[str]) -> None:
        """Remove the rows of captures; those of others in their groups stay."""
        leaving: dict[str, set[str]] = {}
        for each in map(id_of, files):
            if each in self._notes:
                leaving.setdefault(self._notes[each][1], set()).add(each)
        for group, ids in leaving.items():
            self._forget(group, ids)

    def _forget(self, group: str, ids: set[str]) -> None:
        notes = self._groups[group]
        rest = [note for note in notes if note.id not in ids]
        if not rest:
            self._folder.note(group, ())
            for _, path in self._folder.files(group):
                os.unlink(path)
            return
        without = {note.file for note in notes if note.id in ids}
        copy = format_of(self._folder.form).copy
        for table, path in self._folder.files(group):
            with replaced(path) as output:
                copy(table, path, output, without)
        # Last: if this is interrupted, the captures are still known to have changed.
        self._folder.note(group, rest)
