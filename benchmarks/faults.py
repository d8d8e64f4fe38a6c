"""What faults cost that inject nothing: round trips as in `roundtrip`, beside a relay without faults.

Once about another message, which is decided by the number of a message, and once about another ring, for which each
message has to be looked at.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.messages import acknowledgement, request
from benchmarks.programs import Relay, converse, relaying, vuproxy
from benchmarks.table import Row, compared, in_turns, microseconds

# Short ones: what is compared is measured in the same few seconds.
ROUNDS = 15
ROUND_TRIPS = 4_000
PLAIN = "plain"
FAULTS = {
    "another message": ("SET_VRING_NUM and ring=1 : drop", "at most 1.05"),
    "another ring": ("SET_VRING_KICK and ring=99 : drop", ""),
}


def run() -> list[Row]:
    relays: dict[str, Relay] = {PLAIN: vuproxy}
    relays |= {name: partial(_with_fault, fault) for name, (fault, _) in FAULTS.items()}
    rows = []
    for descriptors in (0, 1):
        results = in_turns(ROUNDS, {name: _measure(relay, descriptors) for name, relay in relays.items()})
        plain = [result["p50"] for result in results[PLAIN]]
        for name, (_, target) in FAULTS.items():
            what = f"{name}, {descriptors} descriptors, p50"
            ours = [result["p50"] for result in results[name]]
            rows.append(compared(what, microseconds, (name, ours), (PLAIN, plain), target))
    return rows


def _with_fault(fault: str, front: Path, back: Path) -> list[str]:
    return [*vuproxy(front, back), "--fault", fault]


def _measure(relay: Relay, descriptors: int) -> Callable[[], Any]:
    kick = request("SET_VRING_KICK", need_reply=True, nofd=not descriptors)

    def measure() -> Any:
        with TemporaryDirectory() as folder:
            front, back = Path(folder, "front.sock"), Path(folder, "back.sock")
            with relaying(relay, front, back):
                answer = ("echo", acknowledgement("SET_VRING_KICK"))
                return converse(front, back, answer, ("ping", kick, ROUND_TRIPS, descriptors))

    return measure
