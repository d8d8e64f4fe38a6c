"""The outermost layer of a command."""

import sys
from typing import Any

import click

from vudissect.cli.errors import fail
from vudissect.host.limits import LimitError, require_descriptors
from vudissect.host.streams import hold_places

# To import a module takes one, to read a capture a few.
_DESCRIPTORS_NEEDED = 8


class Program(click.Command):
    """A command that is a program."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run it and exit."""
        try:
            hold_places()
            require_descriptors(_DESCRIPTORS_NEEDED)
        except LimitError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}: it is needed in place of a standard stream that is closed")
        try:
            return super().main(*arguments, **options)
        except SystemExit:
            _flush()
            raise
        except OSError as error:
            _flush()
            fail(f"standard output: {error.strerror or error}")


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        # Python would try again at exit, and complain.
        sys.stdout = None


class ProgramGroup(Program, click.Group):
    """The same with subcommands."""
