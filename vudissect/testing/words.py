"""What is said of a program in a report."""

import os
import shlex
import signal
from collections.abc import Iterator

from vudissect.render.units import printable
from vudissect.replay.program import Program

_LAST_LINES = 20
_LONGEST_NAME = 60
# These come from whoever ends a program.
_ENDING = (signal.SIGTERM, signal.SIGKILL)


def _name(program: Program) -> str:
    first, *others = program.command
    name = shlex.join([os.path.basename(first), *others])
    return printable(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + " ...")


def has_crashed(program: Program, before: int | None) -> bool:
    """Whether it was ended by a signal that nobody sent; `before` is its status before it was ended from here."""
    status = program.status if before is None else before
    return status is not None and status < 0 and (before is not None or -status not in _ENDING)


def ending(program: Program, before: int | None) -> str:
    """How it ended; `before` is its status before it was ended from here (None: it ran)."""
    name = _name(program)
    status = program.status if before is None else before
    if has_crashed(program, before):
        assert status is not None
        return f"{name} was killed by signal {-status} ({signal.strsignal(-status)})"
    if before is not None:
        return f"{name} ended with status {status}"
    if status == -signal.SIGKILL:
        return f"{name} still ran, and did not end on SIGTERM"
    return f"{name} still ran"


def tail(output: str) -> Iterator[str]:
    """The last lines of what a program said, for below the line that says how it ended."""
    lines = output.rstrip().splitlines()
    if not lines:
        yield "    it said nothing"
    for line in lines[-_LAST_LINES:]:
        yield f"    | {printable(line)}"
