"""Cases are data that makes sense: ids, rules, needs and lines that mean something."""

import re
from collections import Counter

import pytest

from vudissect.check.cases import ALL_CASES, FAMILIES
from vudissect.check.discovery import ABILITIES
from vudissect.check.model import Case
from vudissect.check.play import lines_of
from vudissect.check.verbs import VERBS
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.devices import DEVICES, device_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES

RULES = {rule.id for rule in ALL_RULES}
KNOWN_NEEDS = (
    set(ABILITIES)
    | set(PROTOCOL_FEATURES.numbers)
    | set(VIRTIO_FEATURES.numbers)
    | {name for device in DEVICES for name in device.features.numbers}
)
EVERY = pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.id)


def test_no_id_is_used_twice() -> None:
    assert [case for case, count in Counter(case.id for case in ALL_CASES).items() if count > 1] == []


def test_every_family_has_cases() -> None:
    assert {case.family for case in ALL_CASES} == set(FAMILIES)


@EVERY
def test_an_id_is_a_family_and_a_number(case: Case) -> None:
    assert re.fullmatch(r"[A-Z]{2,3}-\d{2}", case.id)


@EVERY
def test_what_is_expected_and_why_is_said(case: Case) -> None:
    assert case.title
    assert case.expected.endswith(".")
    assert case.section


@EVERY
def test_rules_exist(case: Case) -> None:
    assert {*case.rules, *case.ours, *case.ours_perhaps} <= RULES


@EVERY
def test_needs_can_be_met(case: Case) -> None:
    assert {need.removeprefix("without ") for need in case.needs} <= KNOWN_NEEDS


@EVERY
def test_devices_exist(case: Case) -> None:
    assert all(device_by_name(name) for name in (*case.not_device, *filter(None, [case.device])))


@EVERY
def test_every_verb_is_known(case: Case) -> None:
    verbs = [line.text.removeprefix("* ") for line in lines_of(case.talk) if line.text.startswith("* ")]

    assert [text for text in verbs if not any(verb.words.fullmatch(text) for verb in VERBS)] == []


@EVERY
def test_what_is_judged_has_a_meaning(case: Case) -> None:
    judged = [line for line in lines_of(case.talk) if line.judged]

    assert bool(judged) >= bool(case.meanings)
