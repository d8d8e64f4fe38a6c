"""Leaks: what is left behind each time, not once."""

from collections.abc import Callable

from vudissect.check.outcome import Fate, Life
from vudissect.fuzz.finding import Key, Trouble
from vudissect.fuzz.leaks import goes_on, leak, may_leak
from vudissect.fuzz.play import Played, Session
from vudissect.fuzz.steps import Steps, described, message

STEPS: Steps = (message(1, b"", (described("evt", "1"),)),)
KILOBYTE = 1 << 10


class Keeper:
    """A back-end that keeps so many descriptors and bytes of its nth session."""

    def __init__(
        self, descriptors: Callable[[int], int] = lambda _: 0, grows: Callable[[int], int] = lambda _: 0
    ) -> None:
        self.held, self.memory, self.sessions = 9, 100 << 20, 0
        self._descriptors, self._grows = descriptors, grows

    def play(self, steps: Steps) -> Played:
        self.sessions += 1
        before, grown = self.held, self._grows(self.sessions)
        self.held += self._descriptors(self.sessions)
        self.memory += grown
        return Played(Session(), Fate(Life.ALIVE, next_connection=True, descriptors=(before, self.held)), "", grown)

    def holds_more_than(self, most: int) -> bool:
        return self.held > most


def leaked(keeper: Keeper) -> Key | None:
    played = keeper.play(STEPS)
    return leak(keeper, STEPS, played) if may_leak(played, 10) else None


def test_a_descriptor_of_each_session_is_a_leak() -> None:
    assert leaked(Keeper(descriptors=lambda _: 1)) == Key(Trouble.LEAK, "descriptors", "of a message that carries none")


def test_a_descriptor_that_is_kept_once_is_none() -> None:
    assert leaked(Keeper(descriptors=lambda session: int(session == 1))) is None


def test_memory_that_each_session_takes_is_a_leak() -> None:
    assert leaked(Keeper(grows=lambda _: 64 * KILOBYTE)) == Key(Trouble.LEAK, "memory", "after GET_FEATURES")


def test_pieces_that_are_taken_now_and_then_are_a_leak_too() -> None:
    found = leaked(Keeper(grows=lambda session: 132 * KILOBYTE if session % 4 == 1 else 0))

    assert found is not None
    assert found.how == "memory"


def test_the_first_sessions_of_a_process_may_take_memory() -> None:
    played = Keeper(grows=lambda _: 1024 * KILOBYTE).play(STEPS)

    assert may_leak(played, 10)
    assert not may_leak(played, 2)


def test_a_cache_that_becomes_warm_is_none() -> None:
    assert leaked(Keeper(grows=lambda session: 1024 * KILOBYTE if session < 5 else 0)) is None


def test_memory_that_is_taken_once_is_not_worth_a_close_look() -> None:
    once = Keeper(grows=lambda session: 1024 * KILOBYTE if session == 1 else 0)
    always = Keeper(grows=lambda _: 1024 * KILOBYTE)

    assert not goes_on(once, STEPS, once.play(STEPS))
    assert goes_on(always, STEPS, always.play(STEPS))


def test_only_descriptors_that_are_left_over_each_time_are_worth_a_close_look() -> None:
    once, always = Keeper(descriptors=lambda session: int(session == 1)), Keeper(descriptors=lambda _: 1)

    assert not goes_on(once, STEPS, once.play(STEPS))
    assert goes_on(always, STEPS, always.play(STEPS))
