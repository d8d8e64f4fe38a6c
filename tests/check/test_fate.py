"""What became of a back-end, beside what it did: faults of the reference that are more than a wrong answer."""

import os
from collections.abc import Iterator

import pytest

from vudissect.check.cases import ALL_CASES
from vudissect.check.link import Clock
from vudissect.check.model import Behaviour, Verdict
from vudissect.check.outcome import Fate, Life, Played, Result
from vudissect.check.process import descriptors_of, settled_descriptors
from vudissect.check.runner import Options
from vudissect.check.selftest import References, references
from vudissect.cli.check_views import conversation_of, result_lines
from vudissect.render.style import Style

CASES = {case.id: case for case in ALL_CASES}


@pytest.fixture(scope="module")
def reference() -> Iterator[References]:
    with references(Options(timeout=5.0)) as made:
        yield made


def test_a_process_that_dies_is_a_crash_whatever_it_did(reference: References) -> None:
    mutant = reference.play(CASES["NEG-05"]).mutant

    assert (mutant.verdict, mutant.fate.life, mutant.fate.number) == (Verdict.CRASH, Life.KILLED, 9)
    assert mutant.fate.next_connection is False


def test_a_process_that_spins_is_wedged(reference: References) -> None:
    mutant = reference.play(CASES["RNG-21"]).mutant

    assert (mutant.verdict, mutant.fate.life) == (Verdict.WEDGED, Life.SPINNING)


def test_a_process_that_does_nothing_is_wedged(reference: References) -> None:
    mutant = reference.play(CASES["FDS-08"]).mutant

    assert (mutant.verdict, mutant.fate.life) == (Verdict.WEDGED, Life.HUNG)


def test_after_a_death_the_next_case_is_played_with_another_process(reference: References) -> None:
    reference.play(CASES["NEG-05"])

    assert reference.play(CASES["NEG-05"]).right.verdict is Verdict.PASS


def test_what_is_said_wrong_names_the_line_that_decided(reference: References) -> None:
    mutant = reference.play(CASES["RNG-16"]).mutant

    assert (mutant.played.behaviour, mutant.played.line) == (Behaviour.FAILED, 4)
    assert mutant.why == "GET_VRING_BASE is answered with num 4, not 3"


def test_of_bytes_that_are_wrong_those_are_named_that_differ(reference: References) -> None:
    mutant = reference.play(CASES["CFG-04"]).mutant

    assert mutant.why == (
        "GET_CONFIG is answered with contents that differ from byte 1 on: 08 00 00 00 00 00 00 00 ...,"
        " not 00 01 00 02 00 00 00 00 ..."
    )


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("RNG-02", "F>B SET_VRING_NUM ring 0 num 0 need_reply"),
        ("RNG-16", "B>F GET_VRING_BASE -> ring 0 base 4 [#"),
        ("FDS-08", "F>B GET_FEATURES"),
    ],
    ids=["the message that is judged", "a wrong answer", "the message that nobody answers"],
)
def test_the_transcript_has_the_line_that_decided(reference: References, case: str, line: str) -> None:
    lines, deviation = conversation_of(reference.play(CASES[case]).mutant)

    assert line in lines[deviation - 1]


def test_the_last_line_decided_where_a_back_end_dies_of_no_single_message(reference: References) -> None:
    mutant = reference.play(CASES["RNG-22"]).mutant

    assert (mutant.verdict, mutant.why) == (Verdict.CRASH, "the process was killed by SIGKILL (9)")
    assert conversation_of(mutant).deviation > 0


def test_a_death_is_printed_with_the_last_output() -> None:
    died = Result(CASES["RNG-02"], Verdict.CRASH, Played(Verdict.PASS, Behaviour.CLOSED), last_words=("one", "  two"))

    assert list(result_lines(died, Style(False)))[-1].split() == ["its", "last", "output:", "two"]


def test_a_failure_is_printed_with_what_is_expected() -> None:
    failed = Result(CASES["RNG-02"], Verdict.FAIL, Played(Verdict.FAIL, Behaviour.ACKNOWLEDGED, "it is done"))

    assert [line.strip() for line in result_lines(failed, Style(False))][1:] == [
        "it is done",
        "expected: It is refused: a ring has at least one entry.",
    ]


def test_lines_are_as_wide_as_the_terminal() -> None:
    failed = Result(CASES["RNG-21"], Verdict.FAIL, Played(Verdict.FAIL, Behaviour.FAILED, "word " * 40))

    assert max(len(line) for line in result_lines(failed, Style(False, 80))) <= 80


@pytest.mark.parametrize(
    ("fate", "text"),
    [
        (Fate(Life.ALIVE, next_connection=True), "closed"),
        (Fate(Life.ALIVE, next_connection=False), "closed; the next connection is not served"),
        (Fate(Life.HUNG, next_connection=False), "closed; the process hangs, and the next connection is not served"),
        (Fate(Life.SPINNING, next_connection=True), "closed; the process spins"),
        (Fate(Life.KILLED, 11, "closed", next_connection=False), "closed; the process was killed by SIGSEGV (11)"),
        (Fate(Life.EXITED, 1, "closed", next_connection=False), "closed; the process exited with status 1"),
        (Fate(Life.EXITED, 0, "closed"), "closed"),
        (Fate(Life.GONE, 0, "closed", next_connection=False), "closed; the process is gone"),
    ],
    ids=["lives", "deaf", "hangs", "spins", "killed", "exits", "ends with its only connection", "gone"],
)
def test_what_was_seen_has_the_end_of_the_process_if_that_is_bad(fate: Fate, text: str) -> None:
    assert Result(CASES["RNG-02"], Verdict.FAIL, Played(Verdict.FAIL, Behaviour.CLOSED, "closed"), fate).why == text


def test_a_back_end_gets_time_to_notice_that_a_connection_was_closed() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    held = descriptors_of(os.getpid())

    class Closing(Clock):
        def sleep(self, seconds: float) -> None:
            os.close(reader)

    assert settled_descriptors(os.getpid(), held - 1, Closing()) == held - 1


def test_no_line_of_a_pass_is_a_deviation(reference: References) -> None:
    assert conversation_of(reference.play(CASES["RNG-02"]).right).deviation == 0


def test_each_case_is_recorded(reference: References) -> None:
    records = reference.play(CASES["FDS-01"]).right.records

    assert [len(record.descriptors) for record in records if record.descriptors] == [1]
