"""Measures in turns, and prints the table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

T = TypeVar("T")

HEADINGS = ("what", "ours", "reference", "ratio", "target")


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` and `target` are empty if there is nothing to compare with."""

    what: str
    ours: str
    reference: str = ""
    ratio: str = ""
    target: str = ""


def in_turns(rounds: int, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Take every measure once per round, A B C A B C, so that a disturbance of the machine affects all of them."""
    results: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            results[name].append(measure())
    return results


def compared(
    what: str,
    unit: Callable[[float], str],
    ours: tuple[str, Sequence[float]],
    reference: tuple[str, Sequence[float]],
    target: str = "",
) -> Row:
    """A row of two series taken in turns: their medians, and the median of the ratios of each round."""
    ratio = median(mine / theirs for mine, theirs in zip(ours[1], reference[1], strict=True))
    return Row(
        what,
        f"{ours[0]} {unit(median(ours[1]))}",
        f"{reference[0]} {unit(median(reference[1]))}",
        f"{ratio:.2f}",
        target,
    )


def microseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e3:.1f} us"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def seconds(value: float) -> str:
    return f"{value:.2f} s"


def per_second(rate: float) -> str:
    return f"{rate:,.0f}/s"


def mebibytes(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def as_text(rows: Sequence[Row]) -> str:
    """The rows under their headings, in columns."""
    lines = [HEADINGS, *((row.what, row.ours, row.reference, row.ratio, row.target) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
