"""A request of 20 bytes and its reply of 20 bytes, in turns, with and without an eventfd on the request.

First with the relay on a core of its own, then with everything on one core.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.messages import acknowledgement, request
from benchmarks.programs import PEERS_CORE, RELAY_CORE, Relay, c_relay, converse, relaying, vuproxy
from benchmarks.table import Row, compared, in_turns, microseconds, per_second

ROUNDS = 7
ROUND_TRIPS = 10_000
RELAYS: dict[str, Relay | None] = {"direct": None, "C relay": c_relay, "vuproxy": vuproxy}


@dataclass(frozen=True)
class Case:
    """How many descriptors a request has, the core of the relay, and the targets."""

    name: str
    descriptors: int
    core: int
    targets: dict[str, str]


CASES = (
    Case("no descriptor", 0, RELAY_CORE, {"p50": "at most 1.2", "p99": "at most 1.5"}),
    Case("1 descriptor", 1, RELAY_CORE, {"p50": "at most 1.2", "p99": "at most 1.5"}),
    Case("one core, no descriptor", 0, PEERS_CORE, {"p50": "at most 1.25"}),
    Case("one core, 1 descriptor", 1, PEERS_CORE, {"p50": "at most 1.5"}),
)


def run() -> list[Row]:
    return [row for case in CASES for row in _rows(case)]


def _rows(case: Case) -> list[Row]:
    results = in_turns(ROUNDS, {name: _measure(relay, case) for name, relay in RELAYS.items()})

    def series(name: str, figure: str) -> tuple[str, list[float]]:
        return name, [result[figure] for result in results[name]]

    rows = []
    for figure, unit in (("p50", microseconds), ("p99", microseconds), ("rate", per_second)):
        what = f"{case.name}, {'round trips' if figure == 'rate' else figure}"
        ours = series("vuproxy", figure)
        rows.append(compared(what, unit, ours, series("C relay", figure), case.targets.get(figure, "")))
        rows.append(compared(what, unit, ours, series("direct", figure)))
    return rows


def _measure(relay: Relay | None, case: Case) -> Callable[[], Any]:
    name = "SET_VRING_KICK"
    back_end = ("echo", acknowledgement(name))
    kick = request(name, need_reply=True, nofd=not case.descriptors)
    front_end = ("ping", kick, ROUND_TRIPS, case.descriptors)

    def measure() -> Any:
        with TemporaryDirectory() as folder:
            front, back = Path(folder, "front.sock"), Path(folder, "back.sock")
            if relay is None:
                return converse(back, back, back_end, front_end)
            with relaying(relay, front, back, case.core):
                return converse(front, back, back_end, front_end)

    return measure
