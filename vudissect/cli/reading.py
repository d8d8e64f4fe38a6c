"""What a command says, and with which status it exits, of a capture that is cut off or has nothing in it."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vudissect.analysis import UpToTheCut
from vudissect.cli.errors import CANNOT, FINDINGS, clear_errors, fail, warn
from vudissect.cli.output import ReaderLeftError

_SUFFIXES = (".pcapng", ".pcapng.gz", ".pcapng.zst")
_NOTHING = "there are no vhost-user messages in it: nothing to judge"


def captures_in(names: Sequence[str]) -> list[str]:
    """The files of these names; of a directory, the captures in it and below. Exit 2 where it has none."""
    found: list[str] = []
    for name in names:
        if name == "-" or not os.path.isdir(name):
            found.append(name)
            continue
        with clear_errors(name):
            paths = [path for path in Path(name).rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file()]
        if not paths:
            fail(f"{name}: there is no capture in this directory (*{', *'.join(_SUFFIXES)})")
        found += map(str, sorted(paths))
    return found


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
