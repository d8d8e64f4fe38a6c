"""Many captures, several at a time."""

from collections.abc import Iterable, Iterator
from functools import partial

from vudissect.capture.files import open_capture
from vudissect.export.capture import Outcome, export_capture
from vudissect.export.errors import ExportError
from vudissect.export.folder import Folder
from vudissect.host.workers import WorkerKilledError, done
from vudissect.tables.read import Open


def export_captures(files: Iterable[str], folder: Folder, jobs: int, opening: Open = open_capture) -> Iterator[Outcome]:
    """The outcome of each capture as it is done. `OSError` if the tables cannot be written."""
    try:
        for each in done(files, partial(export_capture, folder=folder, opening=opening), jobs):
            yield each.result
    except WorkerKilledError as error:
        raise ExportError(f"{error}: call the command again to go on") from None
