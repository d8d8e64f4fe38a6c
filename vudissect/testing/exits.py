"""How a program ended and what it wrote last, as text for a report."""

import os
import shlex
import signal
from collections.abc import Iterator

from vudissect.render.units import printable
from vudissect.replay.program import Program

_LAST_LINES = 20
_MAX_NAME = 60
# `Program.end` sends these.
_SENT_BY_END = (signal.SIGTERM, signal.SIGKILL)


def _name(program: Program) -> str:
    first, *others = program.command
    name = shlex.join([os.path.basename(first), *others])
    return printable(name if len(name) <= _MAX_NAME else name[:_MAX_NAME] + " ...")


def has_crashed(program: Program, before: int | None) -> bool:
    """Whether a signal that `end()` did not send killed it; `before` is its status before `end()`, None: running."""
    status = program.status if before is None else before
    return status is not None and status < 0 and (before is not None or -status not in _SENT_BY_END)


def exit_text(program: Program, before: int | None) -> str:
    """How it ended; `before` is its status before `end()`, None: running."""
    name = _name(program)
    status = program.status if before is None else before
    if has_crashed(program, before):
        assert status is not None
        return f"{name} was killed by signal {-status} ({signal.strsignal(-status)})"
    if before is not None:
        return f"{name} exited with status {status}"
    if status == -signal.SIGKILL:
        return f"{name} was still running and did not exit on SIGTERM"
    return f"{name} was still running"


def tail(output: str) -> Iterator[str]:
    """The last lines of a program's output, indented."""
    lines = output.rstrip().splitlines()
    if not lines:
        yield "    no output"
    for line in lines[-_LAST_LINES:]:
        yield f"    | {printable(line)}"
