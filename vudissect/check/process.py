"""What Linux shows of the process under test: its descriptors, and whether its threads run or wait."""

import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from vudissect.check.link import Clock

_RETRY = 0.002
_RESTS = 5
_LOOKS, _BETWEEN_LOOKS = 20, 0.005
_SETTLE = 0.05


def descriptors_of(pid: int) -> int:
    """How many descriptors a process holds, -1 if that cannot be seen."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd")) if pid else -1
    except OSError:
        return -1


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
        looks = 0 if "R" in _states(pid).values() else looks + 1
        clock.sleep(_RETRY)


def busy(pid: int, clock: Clock) -> float:
    """How often the busiest thread of a process wants a processor, from 0 to 1, looked at for a tenth of a second.

    Not how much of one it gets, which depends on what else runs on this machine.
    """
    seen: Counter[str] = Counter()
    for _ in range(_LOOKS):
        seen.update(thread for thread, state in _states(pid).items() if state == "R")
        clock.sleep(_BETWEEN_LOOKS)
    return max(seen.values(), default=0) / _LOOKS


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    return _state(str(pid)) not in ("", "Z", "X")


def _states(pid: int) -> dict[str, str]:
    """The states of the threads of a process."""
    with suppress(OSError):
        return {thread: _state(f"{pid}/task/{thread}") for thread in os.listdir(f"/proc/{pid}/task")}
    return {}


def _state(process: str) -> str:
    """The letter that Linux has for the state of a process or thread, "" if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
