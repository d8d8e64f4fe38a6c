"""The rule book: nothing is entered twice, and nothing is forgotten."""

import pkgutil
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from vudissect.lint import rules
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES, rules_named
from vudissect.protocol.model import Channel
from vudissect.protocol.unknown import unknown_row

HERE = Path(__file__).parent
TESTS = "".join(path.read_text() for path in HERE.glob("test_*.py") if path != Path(__file__))
MODULES = [module.name for module in pkgutil.iter_modules(rules.__path__)]


@pytest.mark.parametrize("key", ["id", "name"])
def test_no_two_rules_are_called_the_same(key: str) -> None:
    counts = Counter(getattr(rule, key) for rule in ALL_RULES)

    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_module_of_rules_is_listed(module: str) -> None:
    assert set(import_module(f"vudissect.lint.rules.{module}").RULES) <= set(ALL_RULES)


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_test(rule: Rule) -> None:
    assert f'"{rule.id}"' in TESTS


@pytest.mark.parametrize("text", ["VU-MEM-07", "vu-mem-07", "removed-region", "removed_region"])
def test_a_rule_is_found_by_id_and_by_name(text: str) -> None:
    assert [rule.id for rule in rules_named(text)] == ["VU-MEM-07"]


def test_a_family_is_found_by_its_letters() -> None:
    assert {rule.id.rpartition("-")[0] for rule in rules_named("VU-VRG")} == {"VU-VRG"}


@pytest.mark.parametrize("channel", Channel)
def test_only_the_rules_for_unknown_messages_are_about_their_row(channel: Channel) -> None:
    about = {
        rule.id
        for rule in ALL_RULES
        for reply in (False, True)
        if rule.trigger.matches is not None and rule.trigger.matches(unknown_row(channel), reply)
    }

    assert about == {"VU-DRF-08", "VU-HDR-01"}
