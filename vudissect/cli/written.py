"""`-w`, the option of commands that create a capture, and the writing."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors, fail
from vudissect.host.output import write_private

Command = TypeVar("Command", bound=Callable[..., Any])


def write_option() -> Callable[[Command], Command]:
    """The option for the file to write, as `output`; `-` without it."""
    return click.option(
        "-w",
        "--write",
        "output",
        default="-",
        type=FILE,
        metavar="FILE",
        help="Where to write the capture; - for standard output.",
    )


def refuse_terminal(output: str) -> None:
    """Exit 2 if a capture would be shown on a terminal."""
    if output == "-" and sys.stdout.isatty():
        fail("a capture cannot be shown on a terminal: write it to a file with -w")


def write_capture(output: str, capture: bytes) -> None:
    """Write a whole capture to where the option says; exit 2 if that fails."""
    with clear_errors(output):
        if output == "-":
            sys.stdout.buffer.write(capture)
            sys.stdout.flush()
        else:
            write_private(output, capture)
