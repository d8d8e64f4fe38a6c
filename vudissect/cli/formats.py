"""The output format that a user chooses, and the options that it ignores."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from vudissect.cli.choices import OneOf
from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors, fail
from vudissect.render.format import COMMANDS, Format, Option, T
from vudissect.render.formats import formats_of

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_JSON, _JUNIT = "json", "junit"


def format_options(renders: type[T], *, json: str, junit: str = "") -> Callable[[Decorated], Decorated]:
    """`--format` and its shorthands, with their help."""
    names = list(formats_of(renders))
    options = [
        click.option(
            "--format", "form", type=OneOf(names), help=f"The output format (docs/formats.md); {names[0]} without it."
        ),
        click.option("--json", "as_json", is_flag=True, help=f"{json} Short for --format json."),
    ]
    if junit:
        options.append(click.option("--junit", "junit_file", type=FILE, metavar="FILE", help=junit))

    def add(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def chosen(renders: type[T], name: str | None, *, as_json: bool, options: Iterable[Option] = ()) -> Format[T]:
    """The format; exit 2 if it ignores one of the given options, or if two were chosen."""
    if as_json and name not in (None, _JSON):
        fail(f"--json and --format {name} are two formats: use one of them")
    known = formats_of(renders)
    form = known.get(_JSON if as_json else name or next(iter(known)))
    if form is None:
        fail(f"{COMMANDS[renders]} has no --format {name}: use {' or '.join(known)}")
    for option in options:
        if option not in form.honours:
            able = ", ".join(f"--format {other.name}" for other in known.values() if option in other.honours)
            fail(f"{option} has no effect with --format {form.name}: omit it, or use {able}")
    return form


def write_junit(file: str, result: T) -> None:
    """Also write the JUnit report; exit 2 if that fails."""
    lines = formats_of(type(result))[_JUNIT].render(result)
    with clear_errors(file), open(file, "w", encoding="ascii") as output:
        output.writelines(lines)
