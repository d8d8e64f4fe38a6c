"""`-w`, the option of commands that create a capture."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vudissect.cli.completion import FILE

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
