"""What a command says, and with which status it exits, of a capture that is cut off or has nothing in it."""

import sys
from contextlib import suppress

from vudissect.analysis import UpToTheCut
from vudissect.cli.errors import CANNOT, FINDINGS, warn
from vudissect.cli.output import ReaderLeftError

_NOTHING = "there are no vhost-user messages in it: nothing to judge"


def complaints(records: UpToTheCut) -> list[str]:
    """What is wrong with a capture as a whole, one line each, once it was read to its end."""
    truncated = [str(records.truncated)] if records.truncated is not None else []
    return truncated + ([] if records.has_messages else [_NOTHING])


def verdict(file: str, records: UpToTheCut) -> int:
    """The exit status, with a line on standard error for each complaint: 2 without messages, 1 without the end."""
    with suppress(ReaderLeftError):
        sys.stdout.flush()
    for complaint in complaints(records):
        warn(f"{file}: {complaint}")
    return CANNOT if not records.has_messages else FINDINGS if records.truncated is not None else 0


def conclude(file: str, records: UpToTheCut) -> None:
    """Exit with the verdict, unless all is well."""
    if status := verdict(file, records):
        raise SystemExit(status)
