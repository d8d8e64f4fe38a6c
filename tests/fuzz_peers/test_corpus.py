"""The corpus: what is new is kept, also for the next run."""

from pathlib import Path
from random import Random

from tests.fuzz_peers.sessions import a_session
from vudissect.fuzz.corpus import Corpus
from vudissect.fuzz.steps import message

SEEN = ("SET_OWNER", "connected", "ignored")
ONE = (message(3, b""),)


def test_only_what_shows_something_new_is_kept() -> None:
    corpus = Corpus([a_session()])

    assert corpus.add(ONE, [SEEN])
    assert not corpus.add(a_session(), [SEEN])
    assert corpus.entries == [a_session(), ONE]


def test_what_ends_the_back_end_is_seen_and_not_kept() -> None:
    corpus = Corpus([])

    assert not corpus.add(ONE, [SEEN], keep=False)
    assert (corpus.entries, corpus.coverage) == ([], {SEEN})


def test_an_edge_that_nobody_passed_before_is_new() -> None:
    corpus = Corpus([])

    assert corpus.add(a_session(), [], frozenset({1, 2}))
    assert not corpus.add(ONE, [], frozenset({2}))
    assert corpus.edges == {1: 1, 2: 2}


def test_who_came_first_to_an_edge_that_few_pass_is_chosen_more_often() -> None:
    corpus = Corpus([])
    for number in range(20):
        corpus.add((message(number, b""),), [("seen", str(number))], frozenset({1}))
    corpus.add(ONE, [], frozenset({1, 2}))

    chosen = [corpus.choose(Random(seed)) for seed in range(200)]

    assert chosen.count(ONE) > len(chosen) / 3


def test_the_next_run_begins_with_what_was_kept(tmp_path: Path) -> None:
    Corpus([], tmp_path).add(ONE, [SEEN])

    assert Corpus([a_session()], tmp_path).entries == [a_session(), ONE]


def test_a_file_that_is_not_a_conversation_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.vu").write_text("hello")

    corpus = Corpus([], tmp_path)

    assert corpus.entries == []
    assert corpus.unreadable[0].startswith(f"{tmp_path}/x.vu: line 1: no line begins with 'hello'")
