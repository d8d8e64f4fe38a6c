"""What Linux shows of the process under test: its descriptors, and whether its threads run or wait."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from mmap import PAGESIZE
from pathlib import Path
from typing import NamedTuple

from vudissect.check.link import Clock

_RETRY = 0.002
_RESTS = 5
_LOOKS, _BETWEEN_LOOKS = 20, 0.005
_SETTLE = 0.05
# Seconds to look at a thread that wants a processor and gets none, and the ticks after which it has worked.
_STARVED, _WORK = 3.0, 5
# In the fields of /proc/PID/stat after the state: utime and stime.
_TIMES = slice(10, 12)


def descriptors_of(pid: int) -> int:
    """How many descriptors a process holds, -1 if that cannot be seen."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd")) if pid else -1
    except OSError:
        return -1


def memory_of(pid: int) -> int:
    """How many bytes the address space of a process has, -1 if that cannot be seen."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * PAGESIZE
    except (OSError, IndexError):
        return -1


def threads_of(pid: int) -> int:
    """How many threads a process has, 0 if that cannot be seen."""
    return len(_threads(pid))


def settled_descriptors(pid: int, most: int, clock: Clock) -> int:
    """How many descriptors a process holds, once it has had time to get down to `most`; -1 if that cannot be seen.

    Until then it may not have noticed that a connection was closed, and may not accept the next one.
    """
    deadline = time.monotonic() + _SETTLE
    while (now := descriptors_of(pid)) > most and time.monotonic() < deadline:
        clock.sleep(_RETRY)
    return now


def at_rest(pid: int, clock: Clock) -> None:
    """Wait until no thread of a process runs: each waits for something. One that always does something never rests."""
    deadline = time.monotonic() + _SETTLE
    looks = 0
    while looks < _RESTS and time.monotonic() < deadline:
        looks = 0 if any(each.state == "R" for each in _threads(pid).values()) else looks + 1
        clock.sleep(_RETRY)


def busy(pid: int, clock: Clock) -> float:
    """How often the busiest thread of a process wants a processor, from 0 to 1, looked at for a tenth of a second.

    Not how much of one it gets, which depends on what else runs on this machine. One that gets none cannot go to sleep
    either: it is looked at until it has worked for a while, and is not busy if it never does.
    """
    wants: Counter[str] = Counter()
    before = _threads(pid)
    deadline = time.monotonic() + _STARVED
    looks = 0
    while True:
        for _ in range(_LOOKS):
            wants.update(thread for thread, each in _threads(pid).items() if each.state == "R")
            clock.sleep(_BETWEEN_LOOKS)
        looks += _LOOKS
        busiest, count = max(wants.items(), key=lambda item: item[1], default=("", 0))
        worked = _threads(pid).get(busiest, _NOBODY).ticks - before.get(busiest, _NOBODY).ticks
        if 2 * count <= looks or worked >= _WORK:
            return count / looks
        if time.monotonic() >= deadline:
            return 0.0


def reader_of(pid: int, ask: Callable[[], None]) -> int:
    """The thread that handles messages: the only one that goes to sleep again after one; 0 if that cannot be seen."""
    before = _sleeps(pid)
    ask()
    awake = [thread for thread, count in _sleeps(pid).items() if count != before.get(thread, count)]
    return int(awake[0]) if len(awake) == 1 else 0


@contextmanager
def yielding(pid: int, thread: int) -> Iterator[None]:
    """Let a thread of a process run only while no other one of it wants to: all of them share a processor meanwhile."""
    places: dict[int, set[int]] = {}
    try:
        for each in map(int, _threads(pid)):
            with suppress(OSError):
                places[each] = os.sched_getaffinity(each)
                os.sched_setaffinity(each, {min(places[each])})
        with suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        for each, place in places.items():
            with suppress(OSError):
                os.sched_setaffinity(each, place)


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    return _look(str(pid)).state not in ("", "Z", "X")


class _Thread(NamedTuple):
    """The letter that Linux has for a state, "" if there is no such thread; and the processor time that it got."""

    state: str = ""
    ticks: int = 0


_NOBODY = _Thread()


def _threads(pid: int) -> dict[str, _Thread]:
    """The threads of a process."""
    with suppress(OSError):
        return {thread: _look(f"{pid}/task/{thread}") for thread in os.listdir(f"/proc/{pid}/task")}
    return {}


def _look(process: str) -> _Thread:
    try:
        state, *words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _NOBODY
    return _Thread(state, sum(map(int, words[_TIMES])))


def _sleeps(pid: int) -> dict[str, int]:
    """How often each thread of a process has gone to sleep."""
    counts = {}
    for thread in _threads(pid):
        with suppress(OSError):
            status = Path(f"/proc/{pid}/task/{thread}/status").read_text()
            counts[thread] = int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return counts
