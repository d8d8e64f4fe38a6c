"""A command of this tool: its help shows defaults and ends with examples, and its errors suggest what was meant."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

# Wider lines are hard to read.
_WIDEST = 120


class Example(NamedTuple):
    """An example for the help: what it is for, and the command line."""

    purpose: str
    line: str


class Command(click.Command):
    """A command whose help has examples."""

    def __init__(self, *arguments: Any, examples: Sequence[tuple[str, str]] = (), **options: Any) -> None:
        options["context_settings"] = {
            "show_default": True,
            "help_option_names": ["-h", "--help"],
            "max_content_width": _WIDEST,
        }
        super().__init__(*arguments, **options)
        self.examples = [Example(*example) for example in examples]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, each line as it is typed."""
        if not self.examples:
            return
        with formatter.section("Examples"):
            for purpose, line in self.examples:
                formatter.write_text(f"{purpose}:")
                formatter.write(f"{'':{formatter.current_indent + 2}}{line}\n")


class Group(Command, click.Group):
    """A command with subcommands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand; a usage error that names the nearest ones if there is none of this name."""
        name = args[0]
        if not (ctx.resilient_parsing or name.startswith("-")) and self.get_command(ctx, name) is None:
            from vudissect.protocol.spelling import did_you_mean

            known = self.list_commands(ctx)
            every = f"use {', '.join(known)}"
            ctx.fail(f"unknown command {name!r}: {did_you_mean(name, known, every)}")
        return super().resolve_command(ctx, args)


def meaning(error: click.UsageError) -> str:
    """The text of an error, with what was probably meant."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        # Not at the start: help and completion need none of the protocol.
        from vudissect.protocol.spelling import did_you_mean

        known = [name for param in error.ctx.command.params for name in param.opts if name.startswith("--")]
        hint = did_you_mean(error.option_name, known)
        return f"unknown option {error.option_name}{f': {hint}' if hint else '.'}"
    text = error.format_message()
    if text.startswith("Usage:"):
        return text  # the whole help
    # Where click lists choices, it puts each on a line of its own.
    text = " ".join(text.split())
    return text if text.endswith((".", "?")) else f"{text}."
