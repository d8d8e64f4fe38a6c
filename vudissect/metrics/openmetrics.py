"""Families of metrics as OpenMetrics text: https://prometheus.io/docs/specs/om/open_metrics_spec/"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

BUCKETS: Final = (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""The upper bounds of the buckets of a histogram, in seconds."""

_NANOSECONDS: Final = 1_000_000_000

# The values of the labels of a sample, in the order of their names.
Values = tuple[str, ...]


class Type(StrEnum):
    """What the numbers of a family are."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Durations:
    """A histogram of durations."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0

    def add(self, duration: int) -> None:
        """Count a duration in nanoseconds; a negative one counts as 0."""
        duration = max(duration, 0)
        self.counts[bisect_left(BUCKETS, duration / _NANOSECONDS)] += 1
        self.total += duration


@dataclass(slots=True)
class Family:
    """Metrics with one name: numbers, or histograms, by the values of their labels."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    numbers: dict[Values, float] = field(default_factory=dict)
    histograms: dict[Values, Durations] = field(default_factory=dict)

    def add(self, *values: str, count: float = 1) -> None:
        """Add to a number."""
        self.numbers[values] = self.numbers.get(values, 0) + count

    def observe(self, duration: int, *values: str) -> None:
        """Add a duration (ns) to a histogram."""
        histogram = self.histograms.get(values)
        if histogram is None:
            histogram = self.histograms[values] = Durations()
        histogram.add(duration)


def text_of(families: Iterable[Family], common: Mapping[str, str]) -> str:
    """The families as a text, in which every sample has these labels in common."""
    lines = [line for family in families for line in _lines(family, common)]
    return "\n".join([*lines, "# EOF", ""])


def _lines(family: Family, common: Mapping[str, str]) -> Iterator[str]:
    yield f"# TYPE {family.name} {family.type}"
    unit = family.name.rpartition("_")[2]
    if unit in ("seconds", "bytes"):
        yield f"# UNIT {family.name} {unit}"
    yield f"# HELP {family.name} {_escaped(family.help)}"
    suffix = {Type.COUNTER: "_total", Type.INFO: "_info"}.get(family.type, "")
    for values, number in family.numbers.items():
        yield f"{family.name}{suffix}{_labels(family, values, common)} {_number(number)}"
    for values, histogram in family.histograms.items():
        count = 0
        for bound, each in zip((*map(str, BUCKETS), "+Inf"), histogram.counts, strict=True):
            count += each
            yield f"{family.name}_bucket{_labels(family, values, {**common, 'le': bound})} {count}"
        labels = _labels(family, values, common)
        yield f"{family.name}_count{labels} {count}"
        yield f"{family.name}_sum{labels} {_number(histogram.total / _NANOSECONDS)}"


def _labels(family: Family, values: Values, common: Mapping[str, str]) -> str:
    # A label without a value is the same as none.
    pairs = {**common, **{name: value for name, value in zip(family.labels, values, strict=True) if value}}
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs.items())
    return f"{{{inner}}}" if inner else ""


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
