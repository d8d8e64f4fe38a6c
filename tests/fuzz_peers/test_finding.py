"""What counts as a finding, and which findings are the same."""

import signal

import pytest

from tests.fuzz_peers.sessions import a_session
from vudissect.check.outcome import Fate, Life
from vudissect.fuzz.finding import Key, Trouble, key_of, leak_of, without_leaks
from vudissect.fuzz.play import Played, Session
from vudissect.fuzz.steps import Message, described, message

KILLED = Fate(Life.KILLED, signal.SIGSEGV, next_connection=False)
FINE = Fate(Life.ALIVE, next_connection=True)


def key(fate: Fate, output: str = "", last: str = "SET_VRING_NUM") -> Key | None:
    return key_of(Played(Session(last=last), fate, output))


def test_a_crash_is_told_by_its_signal_and_the_last_message() -> None:
    assert key(KILLED) == Key(Trouble.CRASH, "SIGSEGV", "after SET_VRING_NUM")


def test_what_an_assertion_reports_is_worth_more_than_the_last_message() -> None:
    first = key(KILLED, "1: vu.c:12: f: Assertion `i < 7' failed.", "SET_VRING_NUM")
    second = key(KILLED, "2: vu.c:12: f: Assertion `i < 9' failed.", "SET_VRING_KICK")

    assert first == second == Key(Trouble.CRASH, "SIGSEGV", "N: vu.c:N: f: Assertion `i < N' failed.")


@pytest.mark.parametrize(
    ("fate", "output", "trouble"),
    [
        (FINE, "thread 'main' panicked at src/x.rs:1", Trouble.CRASH),
        (FINE, "==1==ERROR: AddressSanitizer: heap-use-after-free", Trouble.CRASH),
        (Fate(Life.EXITED, 1, next_connection=False), "", Trouble.EXIT),
        (Fate(Life.SPINNING, next_connection=True), "", Trouble.SPIN),
        (Fate(Life.HUNG, next_connection=False), "", Trouble.HANG),
    ],
)
def test_other_ends_are_findings_too(fate: Fate, output: str, trouble: Trouble) -> None:
    found = key(fate, output)

    assert found is not None
    assert found.trouble is trouble


@pytest.mark.parametrize(
    "fate", [FINE, Fate(Life.EXITED, 0), Fate(Life.EXITED, 1), Fate(Life.ALIVE, connection="closed")]
)
def test_who_serves_on_or_ends_after_its_only_session_is_fine(fate: Fate) -> None:
    assert key(fate, "vu_panic: Invalid vring_addr message") is None


def test_a_leak_is_told_by_what_brings_descriptors() -> None:
    stray = message(1, b"", (described("evt", "1"),))

    assert leak_of((stray,)).where == "of a message that carries none"
    assert leak_of(a_session()).where == "of SET_MEM_TABLE and SET_VRING_KICK"


def test_known_leaks_are_left_out_of_a_session() -> None:
    stray = message(1, b"", (described("evt", "1"),))

    steps = without_leaks((stray, *a_session()), {leak_of((stray,))})

    assert steps == (message(1, b""), *a_session())


def test_the_name_of_a_finding_is_one_of_a_file() -> None:
    assert Key(Trouble.CRASH, "SIGABRT", "a/b: `x' < 7 failed.").name == "crash-sigabrt-a-b-x-7-failed"
    assert isinstance(a_session()[0], Message)
