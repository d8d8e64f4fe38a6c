"""The latencies of answers: all are kept, 8 bytes each, so that percentiles are exact."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from vudissect.protocol.model import Channel, Side
from vudissect.session.event import MessageEvent
from vudissect.timing.values import Latencies

# What a damaged capture has as times may be further apart.
_LONGEST = (1 << 63) - 1

BOUNDS = tuple(round(1000 * 10 ** (step / 2)) for step in range(15))
"""The upper bounds of a histogram (ns): 1 us, 3.16 us, 10 us ... 10 s."""


class Answers:
    """The latencies of one connection, by channel, message and side that answers."""

    def __init__(self) -> None:
        self._taken: dict[tuple[Channel, Side, str], array[int]] = {}
        self._slowest: dict[tuple[Channel, Side, str], tuple[int, int]] = {}

    def add(self, event: MessageEvent, latency: int) -> None:
        """Enter an answer."""
        latency = max(-_LONGEST, min(latency, _LONGEST))
        key = event.record.channel, event.record.sender, event.name
        taken = self._taken.get(key)
        if taken is None:
            taken = self._taken[key] = array("q")
        taken.append(latency)
        slowest = self._slowest.get(key)
        # A damaged capture may have answers from before their requests.
        if slowest is None or latency > slowest[0]:
            self._slowest[key] = latency, event.record.frame

    def latencies(self, connection: int) -> Iterator[Latencies]:
        """The statistics, those that took most time in all first."""
        for key in sorted(self._taken, key=lambda key: -sum(self._taken[key])):
            taken = sorted(self._taken[key])
            histogram = [0] * (len(BOUNDS) + 1)
            for latency in taken:
                histogram[bisect_right(BOUNDS, latency)] += 1
            channel, side, name = key
            p50, p90, p99 = (percentile(taken, part) for part in (50, 90, 99))
            yield Latencies(
                connection, channel, side, name, len(taken), p50, p90, p99, taken[-1], self._slowest[key][1],
                tuple(histogram),
            )  # fmt: skip


def percentile(ordered: list[int], part: int) -> int:
    """The smallest value that at least so many per cent of the values do not exceed."""
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]
