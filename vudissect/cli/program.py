"""The outermost layer of a command: on any error the user gets one line and the right exit status."""

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from vudissect.cli.command import Command, Group, meaning
from vudissect.cli.errors import CANNOT, INTERRUPTED, fail, warn
from vudissect.cli.output import OutputError, ReaderLeftError, finish_output, standard_output
from vudissect.host.limits import LimitError, require_descriptors
from vudissect.host.streams import hold_places

TRACEBACK = "VUDISSECT_TRACEBACK"
"""An environment variable: if it is set, an internal error prints a traceback."""

# Importing a module needs one, reading a capture a few.
_DESCRIPTORS_NEEDED = 8


class Program(Command):
    """A command that is a program."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run it and exit; with `standalone_mode=False` exceptions are not caught."""
        standalone = options.pop("standalone_mode", True)
        run: Callable[[], Any] = partial(super().main, *arguments, standalone_mode=False, **options)
        if not standalone:
            return run()
        _make_ready()
        with standard_output():
            status = _flushed(_status(run))
        sys.exit(status)


class ProgramGroup(Program, Group):
    """The same with subcommands."""


def _make_ready() -> None:
    """Make sure that the standard streams and a few descriptors are available; exit 2 if not."""
    try:
        hold_places()
        require_descriptors(_DESCRIPTORS_NEEDED)
    except LimitError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}: needed to replace a closed standard stream")


def _status(run: Callable[[], Any]) -> int:
    try:
        return _number(run())
    except SystemExit as end:
        return _number(end.code)
    except click.ClickException as error:
        _tell(error)
        return CANNOT
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ReaderLeftError:
        return 0
    except OutputError as error:
        warn(str(error))
        return CANNOT
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        warn(f"internal error: {type(error).__name__}: {error}; please report it ({TRACEBACK}=1 shows where it is)")
        return CANNOT


def _tell(error: click.ClickException) -> None:
    text = meaning(error) if isinstance(error, click.UsageError) else error.format_message()
    if text.startswith("Usage:"):
        click.echo(text, err=True)  # the help, if a group was called without a command
        return
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    warn(f"{text} See {where} --help." if where else text)


def _number(code: object) -> int:
    """The exit status for what a command returned or exited with."""
    if code is None or isinstance(code, int):
        return code or 0
    warn(str(code))
    return CANNOT


def _flushed(status: int) -> int:
    """The exit status after all that was printed has been written."""
    try:
        finish_output()
    except ReaderLeftError:
        return status
    except OutputError as error:
        warn(str(error))
        return CANNOT
    return status
