"""A request of 20 bytes and its reply of 20 bytes, in turns, with and without an eventfd on the request."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.messages import acknowledgement, request
from benchmarks.programs import Relay, c_relay, converse, relaying, vuproxy
from benchmarks.table import Row, compared, in_turns, microseconds, per_second

ROUNDS = 7
ROUND_TRIPS = 10_000
RELAYS: dict[str, Relay | None] = {"direct": None, "C relay": c_relay, "vuproxy": vuproxy}


def run() -> list[Row]:
    return [row for descriptors in (0, 1) for row in _rows(descriptors)]


def _rows(descriptors: int) -> list[Row]:
    results = in_turns(ROUNDS, {name: _measure(relay, descriptors) for name, relay in RELAYS.items()})

    def series(name: str, figure: str) -> tuple[str, list[float]]:
        return name, [result[figure] for result in results[name]]

    case = f"{descriptors or 'no'} descriptor"
    rows = []
    for figure, unit, target in (
        ("p50", microseconds, "at most 1.2"),
        ("p99", microseconds, "at most 1.5"),
        ("rate", per_second, ""),
    ):
        what = f"{case}, {'round trips' if figure == 'rate' else figure}"
        ours = series("vuproxy", figure)
        rows.append(compared(what, unit, ours, series("C relay", figure), target))
        rows.append(compared(what, unit, ours, series("direct", figure)))
    return rows


def _measure(relay: Relay | None, descriptors: int) -> Callable[[], Any]:
    name = "SET_VRING_KICK"
    back_end = ("echo", acknowledgement(name))
    front_end = ("ping", request(name, need_reply=True, nofd=not descriptors), ROUND_TRIPS, descriptors)

    def measure() -> Any:
        with TemporaryDirectory() as folder:
            front, back = Path(folder, "front.sock"), Path(folder, "back.sock")
            if relay is None:
                return converse(back, back, back_end, front_end)
            with relaying(relay, front, back):
                return converse(front, back, back_end, front_end)

    return measure
