"""When to use colour: --color, and what the environment asks for."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from vudissect.cli.choices import OneOf
from vudissect.render.style import Style, style_for

Command = TypeVar("Command", bound=Callable[..., Any])

# As click has it in its context: True, False, or None to decide by what standard output is.
_CHOICES = {"always": True, "auto": None, "never": False}


def color_option(command: Command) -> Command:
    """`--color`, which `output_style` obeys."""
    add = click.option(
        "--color",
        type=OneOf(list(_CHOICES)),
        default="auto",
        expose_value=False,
        callback=_choose,
        help="When to use colour. auto: on a terminal, unless NO_COLOR is set.",
    )
    return add(command)


def _choose(context: click.Context, _: click.Parameter, choice: str) -> None:
    context.color = _CHOICES[choice]


def output_style() -> Style:
    """The style of standard output for the command that is running."""
    return style_for(sys.stdout, click.get_current_context().color)


def color_choice() -> str:
    """What the user has chosen, to be passed on to another program."""
    color = click.get_current_context().color
    return next(name for name, value in _CHOICES.items() if value is color)
