"""Numbers on the command line."""

import math
from typing import Any

import click

LONGEST = 1_000_000.0
"""Seconds, up to eleven days: longer than anyone waits, and within the range of the system calls."""


class Finite(click.FloatRange):
    """A range of numbers without NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for anything else."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


SECONDS = Finite(0, LONGEST)
