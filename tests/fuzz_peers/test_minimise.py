"""A session is made short; what breaks the back-end is a function here."""

from dataclasses import replace

from tests.fuzz_peers.sessions import RAM, a_session
from vudissect.fuzz.minimise import minimise
from vudissect.fuzz.steps import HangUp, Message, Steps, Write, described, message


def names(steps: Steps) -> list[str]:
    return [step.name for step in steps]


def test_only_what_is_needed_is_left() -> None:
    needed = ["SET_MEM_TABLE", "SET_VRING_ENABLE"]

    assert names(minimise(a_session(), lambda steps: [n for n in names(steps) if n in needed] == needed)) == needed


def test_a_session_of_which_all_is_needed_stays() -> None:
    assert minimise(a_session(), lambda steps: steps == a_session()) == a_session()


def test_what_was_changed_in_vain_is_taken_back() -> None:
    before = message(8, bytes(8))
    changed = replace(message(8, b"\1" * 8), was=before)

    assert minimise((changed,), lambda steps: names(steps) == ["SET_VRING_NUM"]) == (before,)


def test_a_change_that_matters_stays() -> None:
    changed = replace(message(8, b"\1" * 8), was=message(8, bytes(8)))

    assert minimise((changed,), lambda steps: steps[:1] == (changed,)) == (changed,)


def test_words_that_do_not_matter_are_as_they_were() -> None:
    changed = replace(message(8, b"\1" * 8), was=message(8, bytes(8)))

    (short,) = minimise(
        (changed,), lambda steps: bool(steps) and isinstance(steps[0], Message) and steps[0].data[12:16] == b"\1" * 4
    )

    assert isinstance(short, Message)
    assert short.data[12:] == b"\1\1\1\1\0\0\0\0"


def test_a_change_of_bytes_is_taken_back_without_that_of_descriptors() -> None:
    was = message(8, bytes(8))
    changed = replace(message(8, b"\1" * 12, (described("evt", "1"),)), was=was)

    (short,) = minimise(
        (changed,), lambda steps: bool(steps) and isinstance(steps[0], Message) and bool(steps[0].descriptors)
    )

    assert isinstance(short, Message)
    assert short.data == was.data


def test_zeros_at_the_end_need_not_be_written() -> None:
    assert minimise((Write(RAM, 0, b"\1\0\0"),), lambda steps: len(steps) == 1) == (Write(RAM, 0, b"\1"),)


def test_what_needs_no_second_connection_is_on_one() -> None:
    steps = (message(1, b""), HangUp(), message(3, b"", connection=2))

    short = minimise(steps, lambda steps: names(steps).count("SET_OWNER") == 1)

    assert [step.connection for step in short if isinstance(step, Message)] == [1]
