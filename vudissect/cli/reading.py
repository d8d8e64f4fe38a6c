"""How captures are read, and the complaint and exit status for one that is cut off or empty."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from vudissect.analysis import UpToTheCut
from vudissect.capture.files import SUFFIXES, captures_below
from vudissect.cli.errors import CANNOT, FINDINGS, clear_errors, fail, warn
from vudissect.cli.output import ReaderLeftError
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.model import Device

_NOTHING = "no vhost-user messages in this capture: nothing to check"


class ReadAs(NamedTuple):
    """What the user says that captures are of; None where it is detected."""

    device: Device | None
    dialect: Dialect | None


def captures_in(names: Sequence[str]) -> list[str]:
    """The files of these names; of a directory, the captures in it and below. Exit 2 where it has none."""
    found: list[str] = []
    for name in names:
        if name == "-" or not os.path.isdir(name):
            found.append(name)
            continue
        with clear_errors(name):
            below = captures_below(name)
        if not below:
            fail(f"{name}: there is no capture in this directory (*{', *'.join(SUFFIXES)})")
        found += below
    return found


def complaints(records: UpToTheCut) -> list[str]:
    """What is wrong with a capture as a whole, one line each, after it was read to its end."""
    truncated = [str(records.truncated)] if records.truncated is not None else []
    return truncated + ([] if records.has_messages else [_NOTHING])


def status_of(records: UpToTheCut) -> int:
    """The exit status that a capture deserves by itself: 2 without messages, 1 if it is cut off."""
    return CANNOT if not records.has_messages else FINDINGS if records.truncated is not None else 0


def complain(*lines: str) -> None:
    """Print lines to standard error, after what was printed so far."""
    with suppress(ReaderLeftError):
        sys.stdout.flush()
    for line in lines:
        warn(line)


def verdict(file: str, records: UpToTheCut) -> int:
    """Print each complaint to standard error; return the exit status that the capture deserves by itself."""
    complain(*(f"{file}: {text}" for text in complaints(records)))
    return status_of(records)


def conclude(file: str, records: UpToTheCut) -> None:
    """Exit with the verdict, unless it is 0."""
    if status := verdict(file, records):
        raise SystemExit(status)
