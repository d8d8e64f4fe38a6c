"""What `vudissect attach` costs the back-end that it traces, by strace and by bpftrace.

A front-end and a back-end that only talk (tests/peers/pair.py) exchange the same messages, as fast as they can.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.programs import installed
from benchmarks.table import Row, in_turns
from tests.peers import pair
from tests.peers.processes import running, wait_for_listener

ROUNDS = 3
MESSAGES = 10_000
PAIR = (sys.executable, pair.__file__)


def run() -> list[Row]:
    times = in_turns(ROUNDS, {by: _seconds(by) for by in ("", "strace", "bpftrace")})
    alone = times[""]
    return [_row(by, times[by], alone) for by in ("strace", "bpftrace")]


def _row(by: str, ours: list[float], theirs: list[float]) -> Row:
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    speed, reference = (f"{MESSAGES / median(times):,.0f} messages/s" for times in (ours, theirs))
    return Row(f"back-end traced by {by}", speed, f"not traced {reference}", f"{ratio:.1f} times as long", "")


def _seconds(by: str) -> Callable[[], float]:
    def measured() -> float:
        with TemporaryDirectory() as name, running("back", [*PAIR, "back", "pair.sock"], Path(name)) as back:
            folder = Path(name)
            wait_for_listener("pair.sock", back)
            with _traced(by, back.pid, folder):
                before = perf_counter()
                with running("front", [*PAIR, "front", "pair.sock", str(MESSAGES), "0"], folder) as front:
                    front.finish()
                return perf_counter() - before

    return measured


@contextmanager
def _traced(by: str, pid: int, folder: Path) -> Iterator[None]:
    if not by:
        yield
        return
    command = [installed("vudissect"), "attach", "--by", by, str(pid), "-q", "-w", "attached.pcapng"]
    with running("attach", command, folder) as recorder:
        recorder.expect("attached to", 90)
        yield
        recorder.finish()
