"""The page of each rule: its conversations break the rule and nearly break it, and all of its parts are there."""

import re
from functools import cache
from pathlib import Path

import pytest

from vudissect.cli import rules
from vudissect.lint.finding import Severity
from vudissect.lint.page import page_of, read_page
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES
from vudissect.render.rules import JudgedExample, rules_markdown

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ROOT / "vudissect" / "lint" / "pages"
KNOWN = {rule.id for rule in ALL_RULES}
HEADINGS = [
    "What it checks",
    "Why it matters",
    "A conversation that breaks it",
    "One that nearly does",
    "Sources",
    "Related rules",
]
PAGE = """\
It matters.

## Breaks it

    F>B SET_OWNER

## Nearly breaks it

    F>B GET_FEATURES

## Related

VU-HDR-01
"""

rule_page = cache(rules.rule_page)
every_rule = pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)


def broken_by(example: JudgedExample) -> set[str]:
    return {finding.rule for finding in example.findings}


def test_every_page_belongs_to_a_rule() -> None:
    assert {path.stem for path in PAGES.iterdir()} == KNOWN


@every_rule
def test_its_conversation_breaks_the_rule_and_those_that_the_page_names(rule: Rule) -> None:
    assert broken_by(rule_page(rule).broken) == {rule.id, *page_of(rule.id).also}


@every_rule
def test_the_other_conversation_does_not_break_it(rule: Rule) -> None:
    assert rule.id not in broken_by(rule_page(rule).near)


@every_rule
def test_the_other_conversation_is_about_nothing_else(rule: Rule) -> None:
    page = rule_page(rule)
    infos = {each.id for each in ALL_RULES if each.severity is Severity.INFO}

    assert broken_by(page.near) - {*page.page.also} <= infos


@every_rule
def test_it_says_why_and_leads_on(rule: Rule) -> None:
    page = page_of(rule.id)

    assert page.why.endswith(".")
    assert page.related
    assert {*page.related, *page.also} <= KNOWN - {rule.id}
    assert list(page.related) == sorted(set(page.related))


@every_rule
def test_the_page_of_the_documentation_is_fresh(rule: Rule) -> None:
    page = (DOCS / "rules" / f"{rule.id}.md").read_text("utf-8")

    assert "\n".join(rule_page(rule).markdown()) + "\n" == page, "stale: run make docs"


def test_the_documentation_has_no_other_pages() -> None:
    assert {path.stem for path in (DOCS / "rules").iterdir()} == KNOWN


def test_the_index_of_the_documentation_is_fresh() -> None:
    assert "\n".join(rules_markdown(ALL_RULES)) + "\n" == (DOCS / "rules.md").read_text("utf-8"), "run make docs"


@every_rule
def test_a_terminal_of_80_columns_shows_the_whole_page(rule: Rule) -> None:
    lines = list(rule_page(rule).text())

    assert [line for line in lines if line in HEADINGS] == HEADINGS
    assert [line for line in lines if len(line) > 80] == []
    assert any(re.match(rf" +[!~i] [a-z]+ {rule.id}", line) for line in lines)


@pytest.mark.parametrize("title", ["Breaks it", "Nearly breaks it", "Related"])
def test_a_part_that_is_missing_is_named(title: str) -> None:
    with pytest.raises(ValueError, match=f"there is no section '{title}'"):
        read_page(PAGE.replace(f"## {title}\n", ""))


def test_a_part_that_no_page_has_is_named() -> None:
    with pytest.raises(ValueError, match="a page has no section 'History'"):
        read_page(PAGE + "\n## History\n")


def test_a_remark_is_what_is_not_indented() -> None:
    page = read_page(PAGE.replace("## Nearly breaks it\n", "## Nearly breaks it\n\nWith a\nremark.\n"))

    assert (page.near.remark, page.near.conversation) == ("With a remark.", "F>B GET_FEATURES")
    assert page.broken.remark == ""
