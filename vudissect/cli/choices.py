"""One of a few words on the command line."""

from typing import Any

import click


class OneOf(click.Choice):  # type: ignore[type-arg]  # generic since click 8.2
    """One of a few words; an error lists them, with the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word; a usage error for any other."""
        words = [str(choice) for choice in self.choices]
        if value not in words:
            from vudissect.protocol.spelling import did_you_mean  # only needed for errors

            near = did_you_mean(str(value), words)
            hint = f"; {near}" if near else "."
            self.fail(f"{value!r} is not one of {', '.join(words)}{hint}", param, ctx)
        return str(value)
