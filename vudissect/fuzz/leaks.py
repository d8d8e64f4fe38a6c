"""What a program keeps of sessions that are over: it is played several more times, as one session's may be reused."""

from typing import Protocol

from vudissect.check.outcome import Life
from vudissect.fuzz.finding import Key, leak_of, memory_leak_of
from vudissect.fuzz.play import Played
from vudissect.fuzz.steps import Steps

_TIMES = 4
# Caches are warm after some sessions; then a leak shows in each half of the others.
_WARM_UP, _HALVES, _HALF = 4, 2, 8
# Bytes of a session that is worth a look, and of eight that are a leak: the C library takes 132 KiB at a time.
_MUCH, _LEAK = 64 << 10, 128 << 10


class Repeatable(Protocol):
    """What is needed of a target here."""

    def play(self, steps: Steps) -> Played:
        """Play a session."""

    def holds_more_than(self, most: int) -> bool:
        """Whether it holds more descriptors, and goes on to do so for a while."""

    @property
    def memory(self) -> int:
        """Bytes of its address space, -1 if that cannot be seen."""


def may_leak(played: Played, sessions: int) -> bool:
    """Whether a session left something behind; it may be no leak. `sessions`: how many the process has had."""
    grown = played.fate.life is Life.ALIVE and played.grown >= _MUCH and sessions > _WARM_UP
    return grown or _holds_more(played)


def goes_on(target: Repeatable, steps: Steps, played: Played) -> bool:
    """Whether a session leaves something behind again in the same process: a cheap look before a close one."""
    if _holds_more(played):
        return _descriptors(target, steps, played)
    before = target.memory
    return _repeat(target, steps, _HALF) and target.memory - before >= _LEAK


def leak(target: Repeatable, steps: Steps, played: Played) -> Key | None:
    """What a session leaves behind each time; `played` is the first time, with a process that has seen nothing else."""
    if _holds_more(played) and _descriptors(target, steps, played):
        return leak_of(steps)
    if played.fate.life is Life.ALIVE and _memory(target, steps):
        return memory_leak_of(steps)
    return None


def _holds_more(played: Played) -> bool:
    before, after = played.fate.descriptors
    return played.fate.life is Life.ALIVE and after > before >= 0


def _descriptors(target: Repeatable, steps: Steps, played: Played) -> bool:
    most = played.fate.descriptors[0] + _TIMES
    return _repeat(target, steps, _TIMES) and target.holds_more_than(most)


def _memory(target: Repeatable, steps: Steps) -> bool:
    if not _repeat(target, steps, _WARM_UP):
        return False
    before = target.memory
    for _ in range(_HALVES):
        if before < 0 or not _repeat(target, steps, _HALF):
            return False
        after = target.memory
        if after - before < _LEAK:
            return False
        before = after
    return True


def _repeat(target: Repeatable, steps: Steps, times: int) -> bool:
    """Whether it lives after so many times."""
    return all(target.play(steps).fate.life is Life.ALIVE for _ in range(times))
