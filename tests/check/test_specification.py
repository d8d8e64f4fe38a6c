"""The map of the specification is complete: it has every case that a sentence decides, and no others."""

from pathlib import Path

import pytest

from vudissect.check.cases import ALL_CASES
from vudissect.check.cases.front_end import FRONT_END_CASES
from vudissect.check.model import Case
from vudissect.check.specification import SENTENCES, Sentence
from vudissect.check.specification_page import specification_page

EVERY = [sentence for sentences in SENTENCES.values() for sentence in sentences]
MAPPED = {case for sentence in EVERY for case in sentence.cases}


def test_cases_in_it_exist() -> None:
    known = {case.id for case in (*ALL_CASES, *FRONT_END_CASES)}

    assert sorted(MAPPED - known) == []


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.id)
def test_a_case_is_in_it_or_says_that_no_sentence_decides(case: Case) -> None:
    other = "no text" in case.section or "virtio specification" in case.section or "not specified" in case.section

    assert case.id in MAPPED or other


@pytest.mark.parametrize("sentence", EVERY, ids=lambda sentence: sentence.text)
def test_a_sentence_has_cases_or_a_reason(sentence: Sentence) -> None:
    assert bool(sentence.cases) != bool(sentence.reason)


def test_the_page_is_what_the_map_says_now() -> None:
    written = Path(__file__).parents[2] / "docs" / "conformance-specification.md"

    assert written.read_text() == specification_page(), "stale: run `make docs`"
