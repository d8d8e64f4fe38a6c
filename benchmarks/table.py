"""Measuring in turns, and the table that comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

T = TypeVar("T")

HEADINGS = ("what", "ours", "beside it", "ratio", "to reach")


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` and `reach` are empty where there is nothing to compare."""

    what: str
    ours: str
    beside: str = ""
    ratio: str = ""
    reach: str = ""


def in_turns(rounds: int, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Take every measure once a round, A B C A B C: what disturbs the machine then disturbs all of them."""
    results: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            results[name].append(measure())
    return results


def compared(
    what: str,
    unit: Callable[[float], str],
    ours: tuple[str, Sequence[float]],
    beside: tuple[str, Sequence[float]],
    reach: str = "",
) -> Row:
    """A row of two series taken in turns: their medians, and the median of the ratios of each round."""
    ratio = median(mine / theirs for mine, theirs in zip(ours[1], beside[1], strict=True))
    return Row(
        what,
        f"{ours[0]} {unit(median(ours[1]))}",
        f"{beside[0]} {unit(median(beside[1]))}",
        f"{ratio:.2f}",
        reach,
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
    lines = [HEADINGS, *((row.what, row.ours, row.beside, row.ratio, row.reach) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
