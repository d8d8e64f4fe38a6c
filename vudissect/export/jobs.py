"""Many captures, several at a time."""

from collections.abc import Iterator, Sequence
from functools import partial

from vudissect.capture.files import open_capture
from vudissect.export.capture import Outcome, export_captures_together
from vudissect.export.done import Exported
from vudissect.export.errors import ExportError
from vudissect.export.folder import Folder
from vudissect.host.workers import WorkerKilledError, done
from vudissect.tables.read import Open
from vudissect.tables.tasks import tasks

# What is exported in a few seconds, which is all that an interruption costs.
_BYTES_OF_A_GROUP = 4 << 20


def export_captures(files: Sequence[str], folder: Folder, jobs: int, opening: Open | None = None) -> Iterator[Outcome]:
    """The outcome of each capture, once its group is done. `OSError` if the tables cannot be written.

    `opening` shows how far a capture is, where there is one at a time.
    """
    exported = Exported(folder)
    wanted = []
    for file in files:
        note = exported.unchanged(file)
        if note is None:
            wanted.append(file)
        else:
            yield Outcome(file, True, note.messages, note.problem)
    exported.forget(wanted)
    groups = list(tasks(wanted, _BYTES_OF_A_GROUP))
    jobs = min(jobs, len(groups))
    opens = opening if jobs == 1 and opening is not None else open_capture
    try:
        for each in done(groups, partial(export_captures_together, folder=folder, opening=opens), jobs):
            yield from each.result
    except WorkerKilledError as error:
        raise ExportError(f"{error}: call the command again to go on") from None
