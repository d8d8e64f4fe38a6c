"""Cases for front-ends are data that makes sense: ids, rules, needs and lines that mean something."""

import re
from collections import Counter

import pytest

from vudissect.check.cases import FAMILIES
from vudissect.check.cases.front_end import FRONT_END_CASES, FRONT_END_FAMILIES
from vudissect.check.discovery import ABILITIES
from vudissect.check.front_end.play import awaited
from vudissect.check.front_end.verbs import BOOK
from vudissect.check.model import Case
from vudissect.check.play import lines_of
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES

RULES = {rule.id for rule in ALL_RULES}
EVERY = pytest.mark.parametrize("case", FRONT_END_CASES, ids=lambda case: case.id)


def test_no_id_is_used_twice() -> None:
    assert [case for case, count in Counter(case.id for case in FRONT_END_CASES).items() if count > 1] == []


def test_the_families_are_not_those_of_back_ends() -> None:
    assert {case.family for case in FRONT_END_CASES} == set(FRONT_END_FAMILIES)
    assert not set(FRONT_END_FAMILIES) & set(FAMILIES)


@EVERY
def test_what_is_expected_and_why_is_said(case: Case) -> None:
    assert re.fullmatch(r"F-\d{2}", case.id)
    assert case.title
    assert case.expected.endswith(".")
    assert case.section


@EVERY
def test_rules_exist(case: Case) -> None:
    assert {*case.rules, *case.ours, *case.ours_perhaps} <= RULES


@EVERY
def test_needs_can_be_met(case: Case) -> None:
    needs = {need.removeprefix("without ") for need in case.needs}

    assert needs <= set(ABILITIES) | set(PROTOCOL_FEATURES.numbers)
    assert not case.device or device_by_name(case.device)


@EVERY
def test_every_verb_and_message_is_known(case: Case) -> None:
    for line in lines_of(case.talk):
        if line.text.startswith("* "):
            text = line.text.removeprefix("* ")
            assert [verb.about for verb in BOOK.verbs if verb.words.fullmatch(text)], text
        elif line.text.startswith("F>B "):
            assert awaited(line.text)


@EVERY
def test_one_line_is_judged_and_has_meanings(case: Case) -> None:
    assert len([line for line in lines_of(case.talk) if line.judged]) == 1
    assert case.meanings
