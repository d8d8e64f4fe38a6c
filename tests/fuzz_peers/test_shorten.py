"""What the fuzzer makes of a crash that comes elsewhere, or only in a process that has been used before."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

from vudissect.capture.record import Record
from vudissect.check.outcome import Fate, Life
from vudissect.fuzz.corpus import Corpus
from vudissect.fuzz.finding import Finding, Key, Trouble
from vudissect.fuzz.fuzzer import Fuzzer, Limits
from vudissect.fuzz.play import Played, Session
from vudissect.fuzz.steps import Message, Steps, chained, message
from vudissect.protocol.model import Side

GET_FEATURES, SET_OWNER, SET_VRING_NUM, SET_VRING_BASE = (message(number, b"") for number in (1, 3, 8, 10))
SESSION: Steps = (GET_FEATURES, SET_VRING_NUM, SET_OWNER, SET_VRING_BASE)
SIGNAL = 11

Ends = Callable[[Steps, int], Message | None]
"""After which message a session ends the process, and how many it has had before."""


class Fragile:
    """A back-end that does not survive some sessions."""

    plays = Side.FRONT_END
    forgets = True
    memory = -1

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._sessions = 0

    def play(self, steps: Steps, *, fresh: bool = False, careful: bool = False) -> Played:
        self._sessions = 0 if fresh else self._sessions
        last = self._ends(steps, self._sessions)
        self._sessions += 1
        if last is None:
            return Played(Session(), Fate(Life.ALIVE, next_connection=True), "")
        self.stop()
        return Played(Session(last=last.name), Fate(Life.KILLED, SIGNAL, next_connection=False), "")

    def stop(self) -> None:
        self._sessions = 0

    def chain(self, sessions: Iterable[Steps]) -> Steps:
        return chained(sessions)

    def holds_more_than(self, most: int) -> bool:
        return False

    def discover(self) -> str:
        return ""

    def own_seeds(self) -> list[Steps]:
        return []

    def seed(self, records: Iterable[Record]) -> Steps:
        return ()

    def derive(self, steps: Steps, others: Sequence[Steps], random: Random) -> Steps:
        return steps


def found(ends: Ends, *known: Key) -> list[Finding]:
    findings: list[Finding] = []
    fuzzer = Fuzzer(Corpus([SESSION]), 1, Limits(3600, 1), findings.append)
    fuzzer.findings |= set(known)
    fuzzer.work(Fragile(ends))
    return findings


def crash(after: Message) -> Key:
    return Key(Trouble.CRASH, "SIGSEGV", f"after {after.name}")


def overwrites(steps: Steps, before: int) -> Message | None:
    """SET_VRING_NUM overwrites something that SET_VRING_BASE uses, or else what it uses itself."""
    if SET_VRING_NUM not in steps:
        return None
    return SET_VRING_BASE if SET_VRING_BASE in steps else SET_VRING_NUM


def test_a_crash_that_comes_earlier_in_a_shorter_session_is_the_same() -> None:
    assert [(each.key, each.steps) for each in found(overwrites)] == [(crash(SET_VRING_NUM), (SET_VRING_NUM,))]


def test_but_not_one_that_is_known() -> None:
    (short,) = found(overwrites, crash(SET_VRING_NUM))

    assert (short.key, short.steps) == (crash(SET_VRING_BASE), (SET_VRING_NUM, SET_VRING_BASE))


def test_what_only_a_used_process_does_not_survive_is_not_the_result() -> None:
    def ends(steps: Steps, before: int) -> Message | None:
        return SET_VRING_BASE if SET_VRING_NUM in steps or before > 1 else None

    (short,) = found(ends)

    assert (short.steps, short.reproduced) == ((SET_VRING_NUM,), True)


def test_an_assertion_is_not_like_another_one() -> None:
    one, other = (Key(Trouble.CRASH, "SIGABRT", f"f: Assertion `{what}' failed.") for what in "ab")

    assert one.is_like(one)
    assert not one.is_like(other)
    assert not one.is_like(crash(SET_OWNER))
    assert crash(SET_OWNER).is_like(crash(SET_VRING_NUM))
    assert crash(SET_OWNER).is_like(Key(Trouble.CRASH, "SIGABRT", "malloc(): invalid next size (unsorted)"))
